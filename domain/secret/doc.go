// Package secret takes what may not be shown out of payloads, recorded events and texts.
//
// It owns redaction: every outlet (page, API, CLI, exports, errors) asks it, so that all of them
// hide the same. [Fields] names the members of JSON that are secret. A [Cloak] also remembers the
// values that these members had in a run, and hides them wherever else they turn up: in the message
// of an error, or as a bare string that one step hands to the next.
//
// It knows nothing of outlets, of views, or of where a plan declares its secrets.
//
// Files, in reading order:
//
//   - event.go: recorded events, failures and errors of one run
//   - redact.go: one payload by itself: redacted, or searched for texts
//   - cloak.go: the values that were met, and payloads and texts without them
//   - walker.go: the walk over a JSON value that all of them share
//   - fields.go: which members are secret
package secret
