// Package bridge lets the packages beside package saga reach what saga keeps to itself.
//
// It owns the functions for that, which saga sets when it is loaded. It knows nothing of those
// packages.
//
// Files, in reading order:
//
//   - bridge.go: the functions
package bridge
