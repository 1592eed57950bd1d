// Package held counts the runs that wait until held actions are released.
//
// It owns the counting. It knows nothing of requests: it asks a view which runs there are, and a
// coordinator what they wait for.
//
// Files, in reading order:
//
//   - waiting.go: how many runs wait
package held
