// Package strand puts a call aside in the middle, and lets it go on later. At any time one of the
// call and its caller moves, so that both may use the same things without locks.
//
// Files, in reading order:
//
//   - strand.go: the call
package strand
