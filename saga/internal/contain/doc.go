// Package contain calls code that is not atone's: an author's closures, handlers, sinks and
// observers.
//
// It owns the answer to code that panics, ends its goroutine (runtime.Goexit, as t.FailNow does) or
// never returns: the one call fails with a [MisbehavedError], and nothing else is hurt. It knows
// nothing of runs, definitions or handlers.
//
// Files, in reading order:
//
//   - closure.go: code of a saga, which computes and has no business to wait
//   - call.go: any call, under a limit, and the error of one that did not return
package contain
