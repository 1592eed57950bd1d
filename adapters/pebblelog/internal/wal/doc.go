// Package wal tells damage in Pebble's write-ahead logs from the torn end that a power cut leaves.
//
// It owns what the log knows of these files: which there are, and how each ends. It knows nothing
// of what the logs hold: Pebble reads that.
//
// Pebble's own reader (github.com/cockroachdb/pebble/v2/record) does not do this job. It looks for
// proof of damage from the next block on only, and so takes damage to the newest blocks for a torn
// end, which it drops, with the acknowledged appends behind it. It does not tell where a record
// lies, nor whether a log ended with its trailer. So this package reads the format itself:
//
// A log is blocks of 32 KiB, filled with chunks that do not cross blocks:
//
//	crc(4) size(2) type(1) log number(4) synced offset(8) payload
//
// all little-endian. The synced offset says how far the file was synced when the chunk was written.
// A closed log ends with a trailer: crc 0, size 0, type 5, log number + 1.
//
// Files, in reading order:
//
//   - files.go: the logs of a directory
//   - ending.go: how a log ends, found in one walk over its blocks
//   - chunk.go: what a chunk and a trailer look like
package wal
