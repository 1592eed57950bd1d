// Package pebblelog is atone's embedded event log: a [domain.Log] in one directory, on
// Pebble (an LSM tree with a write-ahead log).
//
// # Guarantees
//
// An append is acknowledged after its events are in Pebble's write-ahead log and that file was
// synced, unless [Config.NoSync] relaxes it. Concurrent appends share one sync (group commit).
// After a crash or a power cut everything that was acknowledged is there. An append that was not
// acknowledged is there whole or not at all. Positions are 1, 2, 3 … without gaps, one for each
// event.
//
// An unfinished end of the write-ahead log, as a power cut leaves it, is dropped: nothing in it was
// acknowledged. Any other damage is reported as a [*CorruptionError] with its place, by [Open] or
// by the read that meets it, and never skipped. [Verify] looks at everything, offline. A high-water
// mark, the file MARK, follows the log by at most a second and never names what is not on disk:
// [Open] refuses a log that ends before it, with the file, the positions and what to do
// ([AcceptLoss] is the last resort). One case remains unseen: damage to what was written in the
// last second before an unclean stop looks like a power cut. With [Config.NoSync] the mark is
// written when the log is opened and closed only.
//
// After a write error (a full disk, a broken one) the log refuses further appends with
// [ErrFailed] until it is opened again; it goes on serving reads.
//
// # Directory
//
// The directory belongs to one process at a time (a lock file; a second one gets
// [ErrLocked]). It holds the file FORMAT, which says "atone log format 1", the file MARK
// with a position that the log must not end before (DURABLE, of earlier versions, is read and
// replaced), and the files of a Pebble database. A log of a newer format is refused with
// [ErrNewerFormat]. To back it up, stop the process, or take a file system snapshot, and copy the
// directory whole.
//
// # Format 1
//
// Integers in keys are big-endian, so that keys sort by them; "uv" is an unsigned varint.
//
//	'e' position(8)               → record: the events of one append; position is the first one's
//	's' stream id(8) revision(8)  → position(8) count(uv): where an append to the stream stands
//	'n' stream name               → stream id(8): ids are 1, 2, 3 … in the order of creation
//	'i' stream id(8) event id(16) → revision + 1 (8): events by id, only for streams that were
//	                                appended to without an exact revision
//	'x' stream id(8)              → count(8): how many of the stream's events 'i' covers
//
// A record is
//
//	crc(4, little-endian) version(1) = 1 created(8, Unix nanoseconds) stream id(uv)
//	revision(uv) count(uv) stream name(uv length, bytes), and for each event:
//	id(16) flags(1; bit 0: binary) type, metadata, data (each uv length, bytes)
//
// The crc is CRC-32C over the key and all of the value that follows the crc. A record at
// position p with n events is followed by the record at position p+n: a missing record
// shows. 's' entries, too, follow each other without gaps.
//
// Every 'e' entry is written in one atomic batch with its 's', 'n' and 'i' entries. Events
// are stored once, in the order of the log, so that reading everything is one sequential
// scan; reading a stream costs one lookup for each of its appends.
//
// # What it owns
//
// It owns the files of its directory and the order of events in them. It knows nothing of what the
// events mean: runs, sagas and views belong to other rooms.
//
// Files, in reading order:
//
//   - open.go: opening and closing a log
//   - verify.go: the check of a whole log
//   - loss.go: what is gone: the mark, gaps, and AcceptLoss
//   - store.go: opening Pebble's store in the directory
//   - blame.go: which file is to blame for what is damaged or missing
//   - commit.go: the goroutine that decides and writes appends, and the one that waits for syncs
//   - revisions.go: which append is accepted, repeated or in conflict
//   - append.go: an append, and the queue in which it waits for them
//   - subscribe.go: subscriptions
//   - tail.go: the newest events in memory, for subscriptions
//   - read.go: the four reads of the port
//   - heads.go: where each stream ends, and the log
//   - scan.go: the chunks that reads work in
//   - stats.go: numbers for metrics
//   - config.go: the settings, and Pebble's, made of them
//   - log.go: the log, and how it fails
//   - errors.go: what the log's errors say
//   - record.go: how the events of an append are encoded
//   - keys.go: the keys of the store
//   - tools.go: a requirement of the module, no code
package pebblelog
