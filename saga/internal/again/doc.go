// Package again repeats calls that fail, at growing intervals.
//
// It owns the intervals of all repeated calls. It knows nothing of what the calls do.
//
// Files, in reading order:
//
//   - again.go: trying until it succeeds, or fails for good
package again
