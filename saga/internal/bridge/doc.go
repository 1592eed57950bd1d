// Package bridge lets the test kits beside package saga reach what saga keeps to itself.
//
// It owns the functions for that, which saga sets when it is loaded. It knows nothing of kits.
//
// Files, in reading order:
//
//   - bridge.go: the functions
package bridge
