// Package secret removes secrets from payloads, recorded events and texts.
//
// It owns redaction. Every outlet (page, API, CLI, exports, errors) uses it, so all of them hide
// the same. [Fields] names the secret members of JSON. A [Cloak] also remembers the values that
// these members had in a run, and hides them wherever else they occur: in the message of an error,
// or as a string that one step passes to the next.
//
// It knows nothing of outlets, of views, or of how a plan declares its secrets.
//
// Files, in reading order:
//
//   - event.go: recorded events, failures and errors of one run
//   - redact.go: one payload by itself: redacted, or searched for texts
//   - cloak.go: the secret values seen so far, and payloads and texts without them
//   - walker.go: the walk over a JSON value that the others use
//   - fields.go: which members are secret
package secret
