// Package recovery finds the unfinished runs when a coordinator starts, and continues them.
//
// It owns the list of unfinished runs, its checkpoints in the log, and the taking up of runs whose
// coordinator died. It knows nothing of how a run goes on: it calls a function that takes up one
// run.
//
// A start reads the newest checkpoint and the log after it. While the coordinator runs, the list is
// kept up to date by what the coordinator itself appends, so that a checkpoint costs no reading. If
// others write to the log as well, or an append had no clear answer, the list is updated by reading
// on.
//
// Files, in reading order:
//
//   - recovery.go: configuration, and the order of a start
//   - takeup.go: taking runs up, a few at once
//   - keep.go: saving the list from time to time, and at the end
//   - scan.go: reading the log up to its end
//   - checkpoint.go: the list as events, read and written
//   - own.go: the appends of this process
//   - list.go: the list of unfinished runs
package recovery
