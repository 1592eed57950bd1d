// Package hands runs functions on goroutines that are used again: work of some depth makes a
// goroutine's stack grow, and a stack that has grown serves the next function.
//
// It owns the idle goroutines. It knows nothing of what they run.
//
// Files, in reading order:
//
//   - pool.go: the pool
package hands
