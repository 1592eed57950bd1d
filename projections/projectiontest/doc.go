// Package projectiontest tests views and stores of views.
//
// It owns a suite that every store must pass, random but plausible runs, and benchmarks on many of
// them. It knows nothing of the stores that it tests.
//
// Files, in reading order:
//
//   - suite.go: the list of tests
//   - suite_store.go: rows and positions
//   - suite_runner.go: running, failing, taking over
//   - suite_rebuild.go: rebuilds
//   - suite_history.go: rows of another log
//   - suite_lists.go: any conditions in any order
//   - suite_query.go: filters and pages
//   - suite_stats.go: statistics
//   - suite_events.go: domain events
//   - suite_again.go: a run that is stuck after its end
//   - suite_desk.go: incidents grouped, looked after, and opened again
//   - kill.go: a process that is killed
//   - world.go: what the tests share: runners, logs, readers
//   - compare.go: whole views compared
//   - bench.go: pages measured
//   - many.go: a log of many runs
//   - runs.go: runs made up by chance
package projectiontest
