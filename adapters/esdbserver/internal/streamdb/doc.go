// Package streamdb gives a [domain.Log] the stream rules of EventStoreDB: the table of expected
// revisions and event ids, soft and hard deletion, stream metadata with truncation, links and
// category streams, and subscriptions.
//
// It keeps nothing outside of the log. A soft deletion is a metadata event in the stream's
// metastream ($$name), a tombstone is an event of type [TypeTombstone] at the end of the stream
// itself, and category streams ($ce-, $et-) are computed while they are read. What it holds in
// memory are caches that may be dropped at any moment.
//
// It owns what may be appended to a stream and what can be read of it. It knows nothing of the
// protocol, of users and of persistent subscriptions.
//
// Files, in reading order:
//
//   - db.go: the DB over a log, and how it follows the log
//   - append.go: appends
//   - begin.go: appends that share a sync
//   - delete.go: deletion, soft and for ever
//   - exclusive.go: what takes more than one append, such as an append to a deleted stream
//   - plain.go: an append to a stream that is not deleted, and how a repeat is told
//   - subscribe.go: subscriptions to all streams and to one
//   - links.go: links followed
//   - read.go: a stream, and all streams, as a reader finds them
//   - virtual.go: streams that are computed while they are read
//   - place.go: positions that clients give
//   - info.go: what is remembered of streams
//   - ids.go: the ids of the latest events
//   - tail.go: the newest events, for live subscribers
//   - log.go: what the log itself is asked
//   - metadata.go: stream metadata
//   - names.go: names of streams and types that have a meaning
package streamdb
