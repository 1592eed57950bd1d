// Package saga is atone's library: actions and sagas are written with it, and a
// [Coordinator] runs them durably.
//
// An [Action] is a named unit of work with an optional undo. [Define] composes actions into a
// [Saga]; its function runs once and builds a plan, which is data. [Start] starts a run of
// it, [Invoke] a run of a single action. Every attempt and outcome is appended to the run's
// stream in a log before anything follows from it, so a crash loses nothing, and a run ends
// with everything done or everything undone.
package saga
