// Package format writes values as the page shows them: durations, times, numbers, payloads, and the
// colours of states.
//
// It owns how a value reads. It knows nothing of requests, templates or where a value comes from.
//
// Files, in reading order:
//
//   - payload.go: payloads, indented and coloured, or their beginning
//   - values.go: durations, times, sizes, numbers, retry policies
//   - colour.go: the colours of runs and steps
package format
