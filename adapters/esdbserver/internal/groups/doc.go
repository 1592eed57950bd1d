// Package groups runs EventStoreDB's persistent subscriptions: groups of competing
// consumers over one stream or over all, with acknowledgement, retries, time limits,
// parking and checkpoints.
//
// A group reads the log through [streamdb.DB] and holds a bounded part of it. What must
// outlive the process is kept as events in the same system streams as the original's:
// the groups' settings in $persistentSubscriptionConfig, a group's checkpoint in
// $persistentsubscription-STREAM::GROUP-checkpoint and what it parked, as links, in
// $persistentsubscription-STREAM::GROUP-parked.
//
// Delivery is at least once: after a crash a group goes on behind its checkpoint, which is
// never beyond the first event that was neither acknowledged, skipped nor durably
// parked. In four places the original may lose a message and this package does not: an
// event whose id equals that of one in flight waits instead of being skipped, a parked
// message stays outstanding until its link is durable, a replayed one stays parked until
// it is settled, and one nacked with the action Stop is parked instead of forgotten.
package groups
