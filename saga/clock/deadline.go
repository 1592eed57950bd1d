package clock

import (
	"context"
	"sync"
	"time"
)

// deadlineContext is a context whose deadline is by a clock that is not the system's. Its Done
// channel is its own: so contexts derived from it ask it for its error, and do not take that of a
// context further up.
type deadlineContext struct {
	context.Context // the parent
	deadline        time.Time
	done            chan struct{}

	mu  sync.Mutex
	err error
}

// withDeadline returns a context that ends like parent, or when the clock reaches at.
func withDeadline(parent context.Context, c Clock, deadline time.Time, at time.Duration) (context.Context, context.CancelFunc) {
	if before, ok := parent.Deadline(); ok && before.Before(deadline) {
		deadline = before
	}
	d := &deadlineContext{Context: parent, deadline: deadline, done: make(chan struct{})}
	unhook := context.AfterFunc(parent, func() { d.end(parent.Err()) })
	alarm := c.At(at, func() { d.end(context.DeadlineExceeded) })
	return d, func() {
		unhook()
		alarm.Stop()
		d.end(context.Canceled)
	}
}

func (d *deadlineContext) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
		close(d.done)
	}
}

// Deadline implements [context.Context].
func (d *deadlineContext) Deadline() (time.Time, bool) { return d.deadline, true }

// Done implements [context.Context].
func (d *deadlineContext) Done() <-chan struct{} { return d.done }

// Err implements [context.Context].
func (d *deadlineContext) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
