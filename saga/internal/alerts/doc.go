// Package alerts tells sinks of stuck, failed and slow runs, each at least once.
//
// It owns the reader of the log behind each sink, the marks that say how far each was told, and the
// notices through which a node has something told. It knows nothing of how a run goes on: it reads
// what the log says, and asks for the rest by functions.
//
// One sink that takes nothing, panics or hangs holds up its own alerts only. Of the nodes that
// share a log one at a time tells a sink.
//
// Files, in reading order:
//
//   - alerts.go: what the room is given, and one goroutine for each sink
//   - runner.go: following the log for one sink
//   - events.go: which events are told, and with what words
//   - slow.go: the runs that may yet be slow
//   - progress.go: saving how far a sink was told
//   - marks.go: the marks in the log, and whose turn it is to tell
//   - marks_read.go: finding the mark to go on from
//   - notices.go: alerts that do not follow from an event of a run
//   - sink.go: calling a sink, and which sinks hold up their alerts
package alerts
