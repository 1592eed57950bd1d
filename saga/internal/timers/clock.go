package timers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/atonehq/atone/saga/clock"
)

// Clock is a coordinator's only source of time (docs/guarantees.md, rule 20). Durations use
// the monotonic clock. Recorded times, and instants that people name, use the wall clock, which may
// be set at any time. Between two such steps the wall clock is assumed to run like the monotonic
// one. Clock is safe to use concurrently.
type Clock struct {
	source clock.Clock
	logger *slog.Logger
	// began is the source's steady clock when this one was made; zero is its wall clock then.
	began time.Duration
	zero  time.Time

	mu      sync.Mutex
	stepped time.Duration
	steps   int64
}

// StepNoticed is the smallest difference of the wall clock that counts as a step. Recorded times
// are off by less than that.
const StepNoticed = 50 * time.Millisecond

// stepTold is the smallest step that is logged.
const stepTold = time.Second

// NewClock returns a clock that has the time from source.
func NewClock(source clock.Clock, logger *slog.Logger) *Clock {
	return &Clock{source: source, logger: logger, began: source.Steady(), zero: source.Now().Round(0)}
}

// Reading is one look at the clock.
type Reading struct {
	// Steady is the wall clock at the coordinator's start plus the time since: it is never set.
	Steady time.Time
	// Stepped is how far the wall clock was set since the start, forward if positive.
	Stepped time.Duration
}

// Wall is the time by the wall clock.
func (r Reading) Wall() time.Time { return r.Steady.Add(r.Stepped) }

// Read reads both clocks, and notices if the wall clock was set.
func (c *Clock) Read() Reading {
	steady := c.Steady()
	off := c.source.Now().Round(0).Sub(steady)
	c.mu.Lock()
	defer c.mu.Unlock()
	by := off - c.stepped
	if by.Abs() < StepNoticed {
		return Reading{steady, c.stepped}
	}
	c.stepped = off
	c.steps++
	if by.Abs() >= stepTold {
		c.logger.Warn("the wall clock was set: timeouts, retries and sleeps do not change; times that somebody named follow the new clock", "by", by.Round(time.Millisecond))
	}
	return Reading{steady, off}
}

// Steady returns the time on the clock that is never set.
func (c *Clock) Steady() time.Time { return c.zero.Add(c.source.Steady() - c.began) }

// Now returns the time by the wall clock.
func (c *Clock) Now() time.Time { return c.Read().Wall() }

// Until returns the time until t on the steady clock.
func (c *Clock) Until(steady time.Time) time.Duration { return steady.Sub(c.Steady()) }

// At calls f once, when the steady clock reaches a time; see [clock.Clock].
func (c *Clock) At(steady time.Time, f func()) clock.Alarm { return c.source.At(c.ticks(steady), f) }

// Wait waits until the steady clock reaches a time, or for ctx, whose error it then returns.
func (c *Clock) Wait(ctx context.Context, steady time.Time) error {
	reached := make(chan struct{})
	alarm := c.At(steady, func() { close(reached) })
	defer alarm.Stop()
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithDeadline returns a context that ends when the steady clock reaches a time; see [clock.Clock].
func (c *Clock) WithDeadline(parent context.Context, steady time.Time) (context.Context, context.CancelFunc) {
	return c.source.WithDeadline(parent, c.ticks(steady))
}

// ticks is a time of the steady clock as the source counts it. What is more than a century away
// counts as a century away, so that no sum of durations overflows.
func (c *Clock) ticks(steady time.Time) time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	return c.began + min(steady.Sub(c.zero), century)
}

// Steps returns how far in total, and how often, the wall clock was set since the clock was made.
func (c *Clock) Steps() (stepped time.Duration, steps int64) {
	c.Read()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stepped, c.steps
}
