// Package follow reads the log for the views: each view has a follower, which has the next batch of
// events ready while the view applies the one before.
//
// It owns the pass over the log that views share, what an event is completed with from earlier
// events of its run, and the pace that keeps views from taking more than a share of a core. It
// knows nothing of tables, stores and rebuilds: the runner says from where to follow, and takes the
// batches.
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
//   - tracker.go: what earlier events of a run say of a later one
//   - pace.go: rests between batches
package follow
