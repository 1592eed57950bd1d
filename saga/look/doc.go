// Package look tells people and programs what one run is: how it stands, why it waits, what a
// cancel would do. All of it is told of one folded state, and without the run's secrets, so that
// the page and the API can't tell it differently.
//
// It owns the redaction of what is told of a run. It knows nothing of requests, pages or views, and
// reads no clock: it is given states, streams and the time.
//
// Files, in reading order:
//
//   - look.go: a run as it may be shown
//   - origin.go: what a run's first event says, and which events are an app's
package look
