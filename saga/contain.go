package saga

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
)

// This file is about code that is not atone's: closures, sinks, observers. It may panic, end its goroutine
// (runtime.Goexit, as t.FailNow does), or never return. None of that is allowed to hurt more than the one call.

// Limits for code that computes or notes something and has no business to wait.
const (
	closureLimit  = 10 * time.Second
	observerLimit = 5 * time.Second
)

// How code may fail to return.
const (
	panics = "panic"
	exits  = "exit"
	hang   = "hang"
)

// misbehaved is the error of code that did not return as code does.
type misbehaved struct {
	kind  string // panics, exits or hang
	how   string // what follows the name of the code in a sentence
	stack string
}

// Error implements error.
func (e *misbehaved) Error() string { return e.how }

func panicked(p any) *misbehaved {
	return &misbehaved{kind: panics, how: fmt.Sprintf("panicked: %v", p), stack: string(debug.Stack())}
}

func exited() *misbehaved {
	return &misbehaved{kind: exits, how: "ended its goroutine (runtime.Goexit) and did not return"}
}

// hangs reports whether the error says that code has not returned.
func hangs(err error) bool {
	bad, ok := err.(*misbehaved)
	return ok && bad.kind == hang
}

// contained calls f and returns what it returns, or a [*misbehaved] where it panics, ends its goroutine, or has not
// returned within the limit. It then goes on in a goroutine that nobody waits for, so f must hand out what
// it computes by its results alone.
func contained[T any](limit time.Duration, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		r := result{err: exited()}
		defer func() {
			if p := recover(); p != nil {
				r = result{err: panicked(p)}
			}
			done <- r
		}()
		value, err := f()
		r = result{value, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		var zero T
		return zero, &misbehaved{kind: hang, how: fmt.Sprintf("has not returned for %v: it must not wait for anything", limit)}
	}
}

// guard calls a definition's code and turns an error, or that it does not return, into a permanent failure.
func guard[T any](path string, f func() (T, error)) (T, *domain.Failure) {
	value, err := contained(closureLimit, f)
	if err == nil {
		return value, nil
	}
	failure := &domain.Failure{Kind: domain.FailurePermanent, Step: path}
	if bad, ok := err.(*misbehaved); ok {
		failure.Message, failure.Type, failure.Stack = shorten("the saga's code for this step "+bad.how), bad.kind, bad.stack
	} else {
		failure.Message, failure.Type = shorten("the saga's code for this step failed: "+err.Error()), errorType(err)
	}
	return value, failure
}

// observing calls an [Observer] so that it hurts nobody: what it fails to note is not noted. While a call of it
// hangs it is not called again. A nil observing notes nothing.
type observing struct {
	observer Observer
	logger   *slog.Logger
	hanging  atomic.Int32
	lastWord atomic.Int64 // when it was last complained about
}

func newObserving(o Observer, logger *slog.Logger) *observing {
	if o == nil {
		return nil
	}
	return &observing{observer: o, logger: logger}
}

// began tells that an attempt begins. It returns the context for the handler, and what to call when that has returned.
func (o *observing) began(ctx context.Context, a Attempt) (context.Context, func(*domain.Failure)) {
	if o == nil {
		return ctx, func(*domain.Failure) {}
	}
	start := time.Now()
	inner, ok := callObserver(o, func() context.Context { return o.observer.AttemptBegan(ctx, a) })
	if !ok {
		return ctx, func(*domain.Failure) {} // it does not know the attempt, or does not know that it does
	}
	if inner == nil {
		inner = ctx
	}
	return inner, func(f *domain.Failure) {
		took := time.Since(start)
		callObserver(o, func() any { o.observer.AttemptEnded(inner, a, took, f); return nil })
	}
}

func callObserver[T any](o *observing, f func() T) (value T, ok bool) {
	if o.hanging.Load() > 0 {
		return value, false
	}
	var settled atomic.Bool // by the return of the call, or by giving it up, whichever is first
	value, err := contained(observerLimit, func() (T, error) {
		defer func() {
			if !settled.CompareAndSwap(false, true) {
				o.hanging.Add(-1)
			}
		}()
		return f(), nil
	})
	if err == nil {
		return value, true
	}
	if hangs(err) && settled.CompareAndSwap(false, true) {
		o.hanging.Add(1)
	}
	if now, last := time.Now().UnixNano(), o.lastWord.Load(); now-last > int64(time.Minute) && o.lastWord.CompareAndSwap(last, now) {
		o.logger.Error("the observer of attempts failed: they go on without it", "observer", fmt.Sprintf("%T", o.observer), "error", err)
	}
	return value, false
}
