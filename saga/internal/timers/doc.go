// Package timers knows which runs are unfinished and when each of them next needs attention.
//
// It owns the coordinator's clock and the list of unfinished runs with their timers. It knows
// nothing of the log or of a run's content: callers say what each run waits for, and it calls a
// function when the run's time has come. All of it is a cache of the log.
//
// Files, in reading order:
//
//   - list.go: the unfinished runs, and what each waits for
//   - wait.go: sleeping until the next run is due, and waking it
//   - heap.go: the runs with a timer, the earliest first
//   - clock.go: the time, and what happens when the wall clock is set
package timers
