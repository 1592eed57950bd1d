// Package saga is atone's library: actions and sagas are written with it, and a
// [Coordinator] runs them durably.
//
// An [Action] is a named unit of work with an optional undo. [Define] composes actions into a
// [Saga]; its function runs once and builds a plan, which is data. [Start] starts a run of it,
// [Invoke] a run of a single action. The coordinator appends every attempt and outcome to the run's
// stream in a log before it acts on it. So a crash loses nothing, and a run ends with everything
// done or everything undone.
//
// It owns the types with which authors write, and the Coordinator, which puts the rooms below
// saga/internal together: what moves a run is in saga/internal/engine. It knows nothing of any
// technology: logs, brokers and what is told to people come in by interfaces.
//
// Files, in reading order:
//
//   - coordinator.go: what a coordinator is, from New to the end of Run
//   - wiring.go: what the rooms below are given, and how they hear of each other
//   - worker.go: how attempts reach their handlers, here or in a process of its own
//   - bulk.go: one act on many runs
//   - control.go: what people do to runs
//   - start.go: starting, invoking and waiting for runs
//   - emit.go: domain events from apps
//   - view.go: reading a run: now, earlier, and why
//   - trigger.go: sagas started by domain events
//   - catalog.go: what is registered
//   - status.go: what a coordinator tells of itself
//   - life.go: the background, readiness, and in whose name something is done
//   - alert.go: alerts and where they go
//   - config.go: the configuration of a coordinator, and what it needs of a log
//   - planner.go: steps that are planned while the run goes on
//   - steps.go: the steps of a saga
//   - flow.go: defining a saga; refs and scopes
//   - action.go: actions, and what a handler asks of its context
//   - steps_option.go: options of sagas and steps, and retry policies
//   - errors.go: errors that callers branch on, and what a handler's error says
package saga
