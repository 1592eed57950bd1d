// Package killtest tests that programs survive kill -9: a test starts its own binary again as a
// child, kills it, and then holds the log against what the handlers did and what callers were told.
//
// A test of sagas needs three things from here. Its TestMain calls [BeChild], so that [Start] can
// start children. The children's handlers write what they do to a [Ledger] and their callers write
// what they are told to [Told], two files that outlive the children. [Check] compares the log with
// both when every run has ended. [Judge] alone has a second opinion on all runs of a log.
//
// It owns the children, both files, and what must hold between them and a log. It knows nothing of
// which log it is, or of what goes wrong besides the kills: that is the test's own.
//
// Files, in reading order:
//
//   - child.go: the test binary as a child that can be killed
//   - job.go: sagas that tests of kills have in common
//   - check.go: the log held against the ledger and against what callers were told
//   - told.go: what callers were told
//   - ledger.go: what handlers did
//   - lines.go: files of lines that outlive a process
package killtest
