// Package strand puts a call aside in the middle, and lets it go on later. At any time one of the
// call and its caller moves, so that both may use the same things without locks.
//
// It owns the goroutine of a call that was put aside, and whose turn it is. It knows nothing of
// what is called.
//
// Files, in reading order:
//
//   - strand.go: the call
package strand
