// Package mark keeps the high-water mark of a log: a position that the log once had on disk.
//
// A log that ends before its mark has lost something that was acknowledged: its newest file was
// cut, which looks like what a power cut leaves, or Pebble took damage to its MANIFEST for an end
// that was not written completely.
//
// It owns the file MARK, and DURABLE of earlier versions. It knows nothing of the log: whoever
// advances the mark has synced what the mark names.
//
// The file is written in place, into two slots in turn, each in a disk page of its own with a
// checksum. So a power cut spoils at most the slot that was being written, and no write has to sync
// the directory.
//
// Files, in reading order:
//
//   - mark.go: the file, and its older form
package mark
