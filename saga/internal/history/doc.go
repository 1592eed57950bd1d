// Package history reads what the log holds of a run.
//
// It owns folding a run's stream, up to now or to an earlier revision, and snapshots, which save
// reading the whole stream of a long run. It knows nothing of how a run goes on: a state that it
// returns is its caller's.
//
// Files, in reading order:
//
//   - runs.go: the runs of a coordinator's log
//   - snapshot.go: snapshots, written and read
//   - facts.go: a run's events one by one
//   - fold.go: folding a run's events
package history
