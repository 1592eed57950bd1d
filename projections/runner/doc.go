// Package runner keeps views up to date with a log.
//
// It owns the generations of each view: which one answers, which one is being built, and when one
// takes the other's place; the turn among processes that share a store; and the check that rows
// belong to the log that is there. It knows nothing of what a view holds and of how a store keeps
// it.
//
// Each view has a keeper, with its own position, transaction and goroutine: none holds back the
// others, nor the log. Keeping views up to date costs about as much as doing the runs, so live
// views take a share of one core ([Config.Share]) and lag rather than slow down runs.
//
// Files, in reading order:
//
//   - runner.go: configuration, running, rebuilds and waits
//   - status.go: how views fare
//   - keeper.go: one view: its turn, its generations, its failures
//   - pass.go: applying batches to one generation, and putting it in place
//   - origin.go: whether rows were made from this log
//   - state.go: what a keeper tells of itself, and word that it changed
//   - lag.go: how many events a view lacks
package runner
