// Package due keeps values in the order of the times at which they are due.
//
// It owns a heap whose items know their place, so that each can leave it. It knows nothing of
// clocks, and of what the values are.
//
// Files, in reading order:
//
//   - heap.go: the heap, and an item of it
package due
