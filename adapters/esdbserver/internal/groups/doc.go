// Package groups runs EventStoreDB's persistent subscriptions: groups of competing consumers over
// one stream or over all, with acknowledgement, retries, time limits, parking and checkpoints.
//
// A group reads the log through [streamdb.DB] and holds a bounded part of it. What must outlive the
// process is kept as events, in the same system streams that EventStoreDB uses: the groups'
// settings in $persistentSubscriptionConfig, a group's checkpoint in
// $persistentsubscription-STREAM::GROUP-checkpoint, and links to the events that it parked in
// $persistentsubscription-STREAM::GROUP-parked.
//
// Delivery is at least once: after a crash a group goes on behind its checkpoint. The checkpoint is
// never beyond the first event that was neither acknowledged, skipped nor durably parked.
// EventStoreDB may lose a message in four places where this package does not:
//
//   - an event whose id equals that of one in flight waits; it is not skipped
//   - a parked message stays outstanding until its link is durable
//   - a replayed message stays parked until it is settled
//   - a message that is nacked with the action Stop is parked, not forgotten
//
// It owns who gets which event, and the groups' own streams. It knows nothing of the protocol and
// of who may call it: a consumer brings a function that says what it may have.
//
// Files, in reading order:
//
//   - manager.go: groups created, found, changed and deleted
//   - info.go: what operators are told of a group
//   - group.go: one group from its start to its end
//   - feed.go: the source read into the group
//   - client.go: one consumer: connecting, acknowledging, leaving
//   - park.go: messages that failed, given back or parked
//   - replay.go: parked messages given out again
//   - push.go: messages given to consumers, taken back and settled
//   - checkpoint.go: the place up to which everything is settled
//   - trim.go: parked messages removed once they were replayed
//   - inflight.go: what one consumer holds
//   - strategy.go: which consumer gets a message
//   - message.go: one event on its way through a group
//   - background.go: goroutines that a group waits for
//   - settings.go: settings, their checks, and the names of a group's streams
package groups
