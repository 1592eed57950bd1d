// Package runner keeps views up to date with a log.
//
// It owns the generations of each view (which one answers, which one is being built, and when they
// are swapped), the lease among processes that share a store, and the check that rows belong to
// this log. It knows nothing of what a view holds and of how a store keeps it.
//
// Each view has a keeper with its own position, transactions and goroutine: no view delays the
// others or the log. Keeping views up to date costs about as much as the runs themselves, so live
// views get a share of one core ([Config.Share]) and lag rather than slow down runs.
//
// Files, in reading order:
//
//   - runner.go: configuration, running, rebuilds and waits
//   - status.go: how views fare
//   - keeper.go: one view: its lease, its generations, its failures
//   - pass.go: applying batches to one generation, and putting it in place
//   - origin.go: whether rows were made from this log
//   - state.go: a keeper's state, and signals that it changed
//   - lag.go: how many events a view is behind
package runner
