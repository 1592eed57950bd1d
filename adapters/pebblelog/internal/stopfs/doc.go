// Package stopfs is the file system that Pebble works on: after the first write that fails, it
// changes nothing more.
//
// Pebble panics, beyond recovery, when it can't write or change its write-ahead log, so that a full
// disk would end the whole program. Here the log fails instead, and the directory stays as it is.
//
// It owns what happens to writes and syncs on their way to the disk. It knows nothing of events: it
// tells a [Health] of the first failure and asks it whether there was one.
//
// Files, in reading order:
//
//   - fs.go: directories: making, removing and renaming files
//   - file.go: writing and syncing a file
package stopfs
