// Package bench measures atone as a user's program would use it: whole runs through the
// coordinator, the worker and the handlers, on the embedded log with every append synced to disk.
//
// It owns the scenarios and their figures. It compares each result with the log alone: the same
// appends, at the same concurrency, in the same process. It knows nothing of how the engine does
// its work.
//
// Files, in reading order:
//
//   - command.go: the command bench
//   - scenario.go: the scenarios, and which code measures each
//   - with_views.go: a scenario with views beside it
//   - rebuild.go: how fast views are built
//   - recovery.go: how long a start takes
//   - first_start.go: the first start on a log
//   - client.go: runs through the HTTP API
//   - measure.go: runs at a coordinator, and the log's ceiling
//   - bare.go: what the log alone does
//   - views.go: views at work
//   - engine.go: the logs that scenarios run on
//   - sagas.go: the sagas of the scenarios
//   - result.go: figures and how they are shown
//   - values.go: one thing many times, and small helpers
package bench
