// Package logtest tests event logs: every adapter of [domain.Log] runs its suite.
//
// It owns the contract of a log as tests, and a log that fails on purpose. It knows nothing of
// sagas, coordinators or any technology.
//
// Files, in reading order:
//
//   - suite.go: the suite, and what a log under test says of itself
//   - suite_append.go: appends, their revisions and repeats
//   - suite_read.go: reads of streams and of the whole log
//   - suite_subscribe.go: subscriptions
//   - suite_concurrency.go: writers at the same time
//   - suite_linear.go: whether all answers fit one order
//   - suite_close.go: closing, and opening again
//   - tools.go: what scenarios are written with
//   - faultlog.go: a log that fails as it is told to
package logtest
