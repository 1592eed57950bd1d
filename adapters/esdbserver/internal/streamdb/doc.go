// Package streamdb gives a [domain.Log] the stream rules of EventStoreDB: the
// expected-revision and idempotency table, soft and hard deletion, stream metadata with
// truncation, links and category streams, and notification of live subscribers.
//
// It keeps nothing outside of the log. A soft deletion is a metadata event in the
// stream's metastream ($$name), a tombstone is an event of type [TypeTombstone] at the
// end of the stream itself, and category streams ($ce-, $et-) are computed while
// reading. What it holds in memory are caches that may be dropped at any moment.
package streamdb
