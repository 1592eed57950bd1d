// Package signal is how goroutines of the views wake each other.
//
// It owns two functions. It knows nothing of what is told.
//
// Files, in reading order:
//
//   - signal.go: telling, and waiting to be told
package signal
