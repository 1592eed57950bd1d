package clock

import (
	"context"
	"time"
)

// Clock tells the time and calls back at a time. A coordinator reads two clocks: one on the wall,
// which people set, and a steady one, which nobody sets (docs/guarantees.md, rule 20). All methods
// are safe to call concurrently.
type Clock interface {
	// Now returns the time by the wall clock. It may be set at any time, in both directions.
	Now() time.Time
	// Steady returns the time since a moment that never changes, by the steady clock.
	Steady() time.Duration
	// At calls f once, when Steady reaches at: at once if it has already. f must not block.
	At(at time.Duration, f func()) Alarm
	// WithDeadline returns a context that ends like parent, and with [context.DeadlineExceeded]
	// when Steady reaches at. Its Deadline is by the clock that handlers read.
	WithDeadline(parent context.Context, at time.Duration) (context.Context, context.CancelFunc)
}

// Alarm is a call that is still to come.
type Alarm interface {
	// Reset moves the call to another time of the steady clock, also after it was made or stopped.
	Reset(at time.Duration)
	// Stop prevents the call, unless it was made, and reports whether it did.
	Stop() bool
}
