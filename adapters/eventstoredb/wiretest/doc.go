// Package wiretest stands between a client and a server of the EventStoreDB protocol and makes the
// server's answers worse: [Unkind] as real servers do that were recorded
// (../testdata/wire/README.md). It is for tests only.
//
// It owns what happens to calls that pass through it. It knows nothing of the adapter that is
// tested with it.
//
// Files, in reading order:
//
//   - unkind_read.go: reads and subscriptions that pass through [Unkind]
//   - unkind_append.go: appends that pass through it
//   - unkind.go: the server in between, and what it may do
package wiretest
