// Package hands runs functions on goroutines that are used again, so that their stacks, which work of some
// depth makes grow, need not grow anew for each call.
//
// It owns the idle goroutines. It knows nothing of what they run.
//
// Files, in reading order:
//
//   - pool.go: the pool
package hands
