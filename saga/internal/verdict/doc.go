// Package verdict reads what a handler's error says of its attempt: whether the effect may have
// happened, whether to retry, and when.
//
// It owns the verdicts that package saga hands out (Permanent, NothingDone, InDoubt, RetryAfter)
// and how they weigh when errors are wrapped and joined. It knows nothing of runs, and of other
// systems only how their drivers say that a connection broke; package saga/verdict classifies the
// rest.
//
// Files, in reading order:
//
//   - failure.go: an error as the failure that an event records
//   - error.go: an error with a verdict, and the verdict of any error
//   - connection.go: errors behind which a success may hide
package verdict
