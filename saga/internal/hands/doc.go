// Package hands runs functions on reused goroutines: deep calls grow a goroutine's stack, and the
// next function uses the grown stack.
//
// It owns the idle goroutines. It knows nothing of what they run.
//
// Files, in reading order:
//
//   - pool.go: the pool
package hands
