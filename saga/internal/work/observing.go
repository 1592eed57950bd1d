package work

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
)

// observerLimit is how long an observer may take to note something.
const observerLimit = 5 * time.Second

// observing calls an [Observer] and contains its failures: it then misses an attempt. While one of
// its calls hangs it is not called again.
type observing struct {
	observer Observer
	logger   *slog.Logger
	hanging  atomic.Int32
	lastWord atomic.Int64 // when its failure was last logged
}

func newObserving(o Observer, logger *slog.Logger) *observing {
	if o == nil {
		return nil
	}
	return &observing{observer: o, logger: logger}
}

// began tells the observer that an attempt begins. It returns the handler's context, and a function
// to call after the handler.
func (o *observing) began(ctx context.Context, a domain.Attempt) (context.Context, func(*domain.Failure)) {
	start := time.Now()
	inner, ok := callObserver(o, func() context.Context { return o.observer.AttemptBegan(ctx, a) })
	if !ok {
		// The observer has not seen the attempt's beginning, or its call has not returned.
		return ctx, func(*domain.Failure) {}
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
	var settled atomic.Bool // by the call's return or by its being given up, whichever comes first
	value, err := contain.Call(observerLimit, func() (T, error) {
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
	if contain.Hung(err) && settled.CompareAndSwap(false, true) {
		o.hanging.Add(1)
	}
	if now, last := time.Now().UnixNano(), o.lastWord.Load(); now-last > int64(time.Minute) && o.lastWord.CompareAndSwap(last, now) {
		o.logger.Error("the observer of attempts failed: they go on without it", "observer", fmt.Sprintf("%T", o.observer), "error", err)
	}
	return value, false
}
