// Package look describes one run to people and programs: its state, why it waits, what a cancel
// would do. It derives all of this from one folded state and hides the run's secrets, so that the
// library, the API, the command line and the page always agree.
//
// It owns the redaction of a run's description. It knows nothing of requests, pages or views, and
// reads no clock: it gets states, streams and the time.
//
// Files, in reading order:
//
//   - look.go: a run as it may be shown
//   - held.go: the held action that a run waits for
//   - chain.go: the child runs down to the one that the run waits for in the end
//   - wait.go: waiting for a run's end, or until a run below it is stuck
//   - origin.go: what a run's first event says, all its events, and which are domain events
package look
