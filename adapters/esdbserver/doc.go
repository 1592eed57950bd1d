// Package esdbserver serves any [domain.Log] over the EventStoreDB gRPC protocol, so that
// every EventStoreDB or KurrentDB client, in any language, can append events to it, read
// it and subscribe to it: a single binary with an embedded log needs no database beside it.
//
// # What is served
//
// Streams (reading both ways, $all, filters by prefix or pattern, catch-up subscriptions, single
// and batched appends, deletion and tombstones), persistent subscriptions (all eight calls, the
// strategies RoundRobin, DispatchToSingle, Pinned and PinnedByCorrelation), server features, gossip
// with one leader, and over HTTP/1 on the same port /health/live, /info, /ping and /gossip. There
// are no services for users, operations and monitoring, none for projections (but $by_category and
// $by_event_type count as enabled), none for append sessions over several streams (StreamsService,
// version 2), and no streams over HTTP.
//
// The answers are those of a real server, code by code. The tests replay recordings of one; a table
// there lists what differs on purpose, with the reasons.
//
// Appends follow the original's table of expected revisions and event ids to the letter: a
// repeated append is one append. Stream metadata ($maxCount, $maxAge, $tb, $acl) is
// honoured. $ce-CATEGORY and $et-TYPE are computed while they are read, as links; nothing is
// stored for them, they are always complete, and nobody can append to them.
//
// # What is kept, and where
//
// Everything is events in the log. A soft deletion is a metadata event in $$STREAM, a
// tombstone an event of type $streamDeleted at the stream's end, and persistent
// subscriptions live in the same system streams as the original's. The log is never asked
// to remove anything: truncated and deleted events are hidden, not freed.
//
// Others may append to the same log in the process, as a coordinator does to the streams of
// its runs; subscribers see their events too. They should not append to metastreams or to
// deleted streams. Two servers must not serve one log at the same time.
//
// # Who may do what
//
// Each user has a [Role]. Streams whose names have one of the shapes of [domain.ReservedShape]
// belong to the coordinator: an append to them is refused with access denied to everybody but
// [RoleCoordinator], whatever else the user may do, and [RoleApp] does not see them, in $all and in
// groups either. The $acl of a stream, and of $all, takes rights from a role ($r to read, $w to
// append). Taking away $r ends running subscriptions at once. Default ACLs, which the original
// keeps in $settings, are refused when they are written. Plaintext, which carries no credentials,
// is served on loopback only; beyond it, TLS and users are required.
//
// # Guarantees and limits
//
// A subscription, of either kind, has no gap. A catch-up subscription has no duplicates. A
// slow subscriber delays nobody and is given no buffer: it falls back to reading the log. A
// persistent subscription delivers at least once, and goes on behind its checkpoint after a
// crash. Appends over the limit are refused with the exception that clients know, after
// their request was read to its end, so that the reason arrives. A request that makes the
// server panic is answered with an internal error and logged.
//
// An append may have 1 MiB of data (Config.MaxAppendSize); metadata and types do not count
// towards that, but all three together must fit into 16 MiB (Config.MaxMessageSize).
//
// Positions are the log's own; commit and prepare position are the same. Event numbers are
// revisions, except a tombstone's, which is the highest number there is. A stream's name may have
// 4,094 bytes. If an error's trailer would carry control characters, which a name may have, its
// value is percent-encoded. 1,000 bytes of a consumer's reason to park an event are kept.
//
// # What it owns
//
// It owns the protocol's services, who may call them, and the port that they are served on. It
// knows nothing of runs and sagas, except the names of their streams, nor of which log it serves.
//
// Files, in reading order:
//
//   - server.go: the server, and what every call passes through
//   - batchappend.go: BatchAppend: a call's batches, put together from their parts
//   - batchanswer.go: the answers to them
//   - append.go: Append
//   - delete.go: Delete and Tombstone
//   - read.go: Read, by which subscriptions are made too
//   - read_all.go: reading $all
//   - read_stream.go: reading a stream
//   - subscribe.go: subscriptions to either
//   - read_send.go: how an event is sent to a reader
//   - groups_read.go: a consumer of a persistent subscription
//   - groups_admin.go: listing, replaying and restarting persistent subscriptions
//   - groups.go: making, updating and deleting them
//   - projections.go: the service that clients ask for projections
//   - config.go: the settings
//   - listener.go: one port for gRPC and HTTP
//   - node.go: gossip, features and what else a node tells of itself
//   - subscriptions.go: which subscriptions are open, and whether they still may be; the end of
//     calls
//   - auth.go: who calls, and what the caller may do
package esdbserver
