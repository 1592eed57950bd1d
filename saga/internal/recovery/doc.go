// Package recovery knows which runs are unfinished when a coordinator starts, and has them go on.
//
// It owns the list of unfinished runs, its checkpoints in the log, and the taking up of runs that
// were under way when their coordinator died. It knows nothing of how a run goes on: it is given a
// function that takes up one run.
//
// A start reads the newest checkpoint and the log after it. While the coordinator runs, the list is
// kept up to date by what the coordinator itself appends, so that a checkpoint costs no reading.
// Where others write to the log as well, or where an append had no clear answer, the list is
// brought up to date by reading on.
//
// Files, in reading order:
//
//   - recovery.go: what the room is given, and how a start goes
//   - takeup.go: taking runs up, a few at once
//   - keep.go: saving the list from time to time, and at the end
//   - scan.go: reading the log up to its end
//   - checkpoint.go: the list as events, read and written
//   - own.go: what this process appends itself
//   - list.go: the list of unfinished runs
package recovery
