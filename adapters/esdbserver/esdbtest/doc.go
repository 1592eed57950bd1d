// Package esdbtest serves a log over the EventStoreDB protocol for the length of a test.
//
// It owns the port and the server's end. It knows nothing of clients.
//
// Files, in reading order:
//
//   - server.go: starting and stopping it
package esdbtest
