// Package act has the commands that change something: start, invoke, those that steer runs, bulk,
// emit, token and projections.
//
// It owns their flags, the wait for a run, and the confirmation before many runs are changed. It
// knows nothing of where the runs are, and nothing of the commands that look.
//
// Files, in reading order:
//
//   - commands.go: the list of the commands
//   - start.go: start a run, or invoke an action
//   - steer.go: cancel, pause, resume, retry, resolve, abandon and signal
//   - incidents.go: notes on incidents, who looks after them, snoozes
//   - wait.go: wait for a run and show what happens
//   - bulk.go: steer many runs
//   - bulk_parts.go: a bulk act asked for part by part
//   - bulk_outcome.go: what became of the runs, and how it is told
//   - hold.go: hold an action and release it
//   - rejected.go: retry rejected events, or dismiss them
//   - reason.go: the reason of an act, asked for where it is not given
//   - emit.go: domain events
//   - token.go: tokens of the API
//   - projections.go: the state of the views, and rebuilds
package act
