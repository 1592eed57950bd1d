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
//   - Append repeats the identical batch, with backoff, while the cluster cannot say what became of
//     it (Aborted, DeadlineExceeded, Unavailable, not the leader), until the caller's context ends.
//     The events' ids make the repeats one write. It never sends a batch while this process waits
//     for the answer to an identical one. Appends in doubt on a stream are repeated one at a time,
//     in order.
//   - Appends share a few long calls where the server takes batches. When a call ends, what was in
//     flight on it is in doubt, and its connection is not used again.
//   - A read of a stream shows at least what this process was told of it, by an acknowledgement, a
//     conflict or a subscription, or fails when that does not appear in time.
//   - No caller sees a position that no record can have, and positions never go backward.
//   - Reads and subscriptions resume after a broken connection where they stood: no gap and
//     no duplicate.
//   - No call outlives its context: discovery, dialling and waiting all end with it.
//   - A lost node costs no goroutine and no connection: [Log.Close] and the end of a
//     subscription release everything that they opened.
//
// How real servers behave is recorded in testdata/wire and replayed by the tests. Package wiretest
// has a proxy that does all of this at once.
//
// Servers from 23.10 on are supported: they tell a subscriber when it caught up.
//
// # What it owns
//
// It owns what atone asks of an EventStoreDB, and which answers it believes. It knows nothing of
// what the events mean, and nothing of the server in adapters/esdbserver but the protocol.
//
// Files, in reading order:
//
//   - log.go: the log, opening and closing it, and its health
//   - append.go: an append, until it is answered
//   - append_batch.go: an attempt by BatchAppend, and what its answer means
//   - append_unary.go: an attempt by a call of its own
//   - flights.go: which appends are under way, and whose turn it is
//   - lane.go: one long BatchAppend call after the other
//   - compose.go: a batch on the wire
//   - ways.go: which of the two calls is faster
//   - silence.go: for how long no append was answered
//   - subscribe.go: subscriptions
//   - read.go: the reads of the port
//   - told.go: what this process was told of streams, and reads that wait for it
//   - publisher.go: the Watermill publisher
//   - subscriber.go: the Watermill subscriber
//   - group_subscription.go: one subscription to a persistent subscription
//   - group_connection.go: one connection of it, and the messages on their way
//   - group.go: making and updating a persistent subscription
//   - marshal.go: messages as events
//   - config.go: the settings
//   - call.go: attempts, their pauses, and one read call
package eventstoredb
