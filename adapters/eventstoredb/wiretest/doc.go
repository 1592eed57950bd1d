// Package wiretest stands between a client and a server of the EventStoreDB protocol and makes the
// server's answers worse: [Unkind] as real servers do that were recorded (../testdata/wire/README.md),
// [Slow] as a network does. It is for tests only.
package wiretest
