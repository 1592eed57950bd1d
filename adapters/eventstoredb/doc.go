// Package eventstoredb keeps atone's event log in an EventStoreDB or KurrentDB
// cluster, and carries Watermill messages through it.
//
// [Open] returns a [Log]: the [domain.Log] port over the cluster. [NewPublisher] and
// [NewSubscriber] are a Watermill Pub/Sub over persistent subscriptions that uses the
// same connection settings; they need nothing else of atone.
//
// # What is the client's and what is ours
//
// The package is built on EventStore-Client-Go v4.2.0: its connection strings
// ([esdb.ParseConnectionString]) and its generated protocol (protos/streams, persistent,
// gossip). Its connection layer, decoding and retries are not used. That layer stops for
// ever after about a second of outage and lets concurrent callers hang past their context,
// loses a connection at every reconnect, never sends requires-leader, ends the process on
// an event without a creation date, and cannot express some settings of persistent
// subscriptions; most of this cannot be mended from outside, as the parts are unexported.
// The file client_bugs_test.go shows each of these on the client beside what this package
// does instead.
//
// # Guarantees
//
//   - Append repeats the identical batch, with backoff, while the cluster cannot say what
//     became of it (Aborted, DeadlineExceeded, Unavailable, not the leader), until the caller's
//     context ends. The events' ids make the repeats one write.
//   - Reads and subscriptions resume after a broken connection where they stood: no gap and
//     no duplicate.
//   - No call outlives its context: discovery, dialling and waiting all end with it.
//   - A lost node costs no goroutine and no connection: [Log.Close] and the end of a
//     subscription release everything that they opened.
//
// Servers from 23.10 on are supported: they tell a subscriber when it caught up.
package eventstoredb
