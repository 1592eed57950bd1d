// Package act has the commands that change something: start, invoke, those that steer runs, bulk,
// emit, token and projections.
//
// It owns their flags, the wait for a run, and the question before many runs are changed. It knows
// nothing of where the runs are, and nothing of the commands that look.
//
// Files, in reading order:
//
//   - commands.go: the list of the commands
//   - start.go: start a run, or invoke an action
//   - steer.go: cancel, pause, resume, retry, resolve, abandon and signal
//   - wait.go: wait for a run and show what happens
//   - bulk.go: steer many runs
//   - emit.go: domain events
//   - token.go: tokens of the API
//   - projections.go: the state of the views, and rebuilds
package act
