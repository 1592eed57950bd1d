// Package follow reads the log for the views. Each view has a follower, which prepares the next
// batch of events while the view applies the previous one.
//
// It owns the shared pass over the log, the completion of an event with what earlier events of its
// run say, and the pace that limits views to a share of a core. It knows nothing of tables, stores
// and rebuilds: the runner says where to begin and takes the batches.
//
//	log ──▶ tap ──▶ follower of runs ──▶ batch
//	          └───▶ follower of audit ─▶ batch       one that is behind reads the log by itself
//
// Files, in reading order:
//
//   - follower.go: following the log for one view, by a tap or alone
//   - tap.go: one pass over the log for several followers
//   - buffer.go: the batch that a follower fills
//   - subscribe.go: events of the log, completed
//   - tracker.go: what earlier events of a run say about a later one
//   - pace.go: rests between batches
package follow
