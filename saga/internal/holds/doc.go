// Package holds knows which actions are held: people stopped them, so that no attempt of them
// starts until somebody releases them.
//
// It owns the stream of holds in the log: writing to it, reading it, and the list as of its latest
// event. It knows nothing of runs and attempts: it tells a function what is held of an action.
//
// Files, in reading order:
//
//   - holds.go: holding and releasing, and the list
//   - event.go: the events of the stream
package holds
