// Package again tries what failed again, at growing intervals.
//
// It owns the pace of everything that is tried until it succeeds. It knows nothing of what is
// tried.
//
// Files, in reading order:
//
//   - again.go: trying until it succeeds
package again
