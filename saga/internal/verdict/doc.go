// Package verdict reads a handler's error: whether the effect may have happened, whether to retry,
// and when.
//
// It owns the verdicts that package saga offers (Permanent, NothingDone, InDoubt, RetryAfter), and
// their precedence when errors are wrapped and joined. It knows nothing of runs, and of other
// systems only the errors of drivers for a broken connection; package saga/verdict classifies all
// others.
//
// Files, in reading order:
//
//   - failure.go: an error as the failure that an event records
//   - error.go: an error with a verdict, and the verdict of any error
//   - connection.go: errors that may hide a success
package verdict
