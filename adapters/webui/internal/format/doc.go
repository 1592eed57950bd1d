// Package format writes values as the page shows them: durations, times, numbers, payloads, and the
// colours of states.
//
// It owns how values look as text. It knows nothing of requests, templates or where a value comes
// from.
//
// Files, in reading order:
//
//   - payload.go: payloads, indented and coloured, or their beginning
//   - command.go: requests as commands of a shell, and what of a failure stands in a line
//   - sentence.go: sentences with instants in them
//   - values.go: durations, times, sizes, numbers, retry policies
//   - colour.go: the colours of runs and steps
package format
