// Package inbox delivers domain events to triggers and to the runs that await them.
//
// It owns the reader of the whole log, the queue of each trigger ([lane]), the matching of events
// to awaits ([Index]) and their delivery, and the checkpoints of all of these. It knows nothing of
// how a run is started or receives an event: it calls functions for that.
//
// Each await of a run gets the earliest event with its type and correlation id that came after the
// run's beginning and that the run has not taken yet. Events are kept for awaits that open later.
//
// Files, in reading order:
//
//   - inbox.go: configuration, and the reader of the log
//   - events.go: what each event means
//   - retry.go: rejected events that are tried again
//   - lane.go: the queue of one trigger, and the calls of its code
//   - pending.go: runs that events are to start
//   - trouble.go: the alert about a trigger that makes no progress
//   - deliver.go: delivering events to the runs that await them
//   - checkpoint.go: the index of awaits, saved and read
//   - idle.go: whether there is nothing to do
//   - positions.go: where each trigger is, saved and read
//   - left.go: events that do not fit into memory
//   - domain_event.go: which events are domain events
//   - image.go: the index as data
//   - trim.go: keeping the index within its bounds
//   - index.go: which runs await what, and the events that are kept
package inbox
