// Package sagatest tests event logs: every adapter of [domain.Log] runs its suite.
//
// It owns the contract of a log as tests, and a log that fails on purpose. It knows nothing of
// sagas, coordinators or any technology.
//
// Files, in reading order:
//
//   - logsuite.go: the suite, and what a log under test says of itself
//   - logsuite_append.go: appends, their revisions and repeats
//   - logsuite_read.go: reads of streams and of the whole log
//   - logsuite_subscribe.go: subscriptions
//   - logsuite_concurrency.go: writers at the same time
//   - faultlog.go: a log that fails as it is told to
package sagatest
