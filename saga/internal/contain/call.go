package contain

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/atonehq/atone/saga/internal/hands"
)

// The ways in which code fails to return.
const (
	Panics = "panic"
	Exits  = "exit"
	Hangs  = "hang"
)

// MisbehavedError is the error of code that did not return normally.
type MisbehavedError struct {
	// Kind is Panics, Exits or Hangs.
	Kind string
	// How completes a sentence that begins with the name of the code.
	How string
	// Panic is what the code panicked with, and Stack its goroutine's stack then.
	Panic any
	Stack string
}

// Error implements error.
func (e *MisbehavedError) Error() string { return e.How }

// Panic is the error of code that panicked with p. Call it where the panic is recovered: it takes
// the stack.
func Panic(p any) *MisbehavedError {
	return &MisbehavedError{Kind: Panics, Panic: p, How: fmt.Sprintf("panicked: %v", p), Stack: string(debug.Stack())}
}

// Exit is the error of code that ended its goroutine.
func Exit() *MisbehavedError {
	return &MisbehavedError{Kind: Exits, How: "ended its goroutine (runtime.Goexit) and did not return"}
}

// Hung reports whether the error says that code has not returned.
func Hung(err error) bool {
	bad, ok := err.(*MisbehavedError)
	return ok && bad.Kind == Hangs
}

// Call calls f and returns what it returns, or a [*MisbehavedError] where f panics, ends its
// goroutine, or has not returned within the limit. A call that exceeds the limit continues in a
// goroutine that nobody waits for, so f must return its results and not write to shared variables.
func Call[T any](limit time.Duration, f func() (T, error)) (T, error) {
	return CallOn(nil, limit, f)
}

// CallOn is [Call] on a goroutine of the pool, which may be nil.
func CallOn[T any](pool *hands.Pool, limit time.Duration, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	pool.Go(func() {
		r := result{}
		returned := false
		defer func() {
			if p := recover(); p != nil {
				r.err = Panic(p)
			} else if !returned {
				r.err = Exit()
			}
			done <- r
		}()
		r.value, r.err = f()
		returned = true
	})
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		var zero T
		return zero, &MisbehavedError{Kind: Hangs, How: fmt.Sprintf("has not returned for %v: it must not wait for anything", limit)}
	}
}
