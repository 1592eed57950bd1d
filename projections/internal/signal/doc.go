// Package signal wakes goroutines of the views.
//
// It owns two functions on channels. It knows nothing of what a signal means.
//
// Files, in reading order:
//
//   - signal.go: sending a signal, and waiting for one
package signal
