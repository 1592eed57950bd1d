// Package alerts sends alerts about stuck, failed, blocked and slow runs to sinks, each at least
// once.
//
// It owns the reader of the log behind each sink, the marks that say how far each sink has come,
// and the notices with which a node sends an alert of its own. It knows nothing of how a run goes
// on: it reads the log, and calls functions for the rest.
//
// A sink that fails, panics or hangs delays only its own alerts. Of the nodes that share a log, one
// at a time sends the alerts of a sink.
//
// Files, in reading order:
//
//   - alerts.go: configuration, and one goroutine for each sink
//   - runner.go: following the log for one sink
//   - events.go: which events cause alerts, and the alerts' texts
//   - blocked.go: the versions whose runs no program goes on with
//   - slow.go: the runs that may yet be slow
//   - progress.go: saving how far a sink has come
//   - marks.go: the marks in the log, and which node's turn it is
//   - marks_read.go: finding the mark to go on from
//   - notices.go: alerts that do not follow from an event of a run
//   - sink.go: calling a sink, and which sinks hold up their alerts
//   - log_sink.go: a sink that writes to a logger
package alerts
