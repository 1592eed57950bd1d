// Package contain calls foreign code: an author's closures, handlers, sinks and observers.
//
// It owns the handling of code that panics, ends its goroutine (runtime.Goexit, as t.FailNow does)
// or never returns: that call fails with a [MisbehavedError], and nothing else is affected. It
// knows nothing of runs, definitions or handlers.
//
// Files, in reading order:
//
//   - closure.go: code of a saga, which must not wait
//   - call.go: any call, under a limit, and the error of one that did not return
package contain
