package timers

import (
	"log/slog"
	"sync"
	"time"
)

// Clock tells a coordinator the time (rule 20); the coordinator asks nothing else for it.
// Durations are measured on the monotonic clock. What is recorded, and the instants that people
// name, go by the wall clock, which may be set at any time. Between two such steps the wall clock
// is taken to run as the monotonic one does. It is safe to use concurrently.
type Clock struct {
	wall   func() time.Time
	logger *slog.Logger
	// began has a monotonic reading; zero is the wall clock at that moment.
	began, zero time.Time

	mu      sync.Mutex
	stepped time.Duration
	steps   int64
}

// StepNoticed is the smallest difference of the wall clock that counts as a step. What is recorded
// is off by less than that.
const StepNoticed = 50 * time.Millisecond

// stepTold is the smallest step that is logged.
const stepTold = time.Second

// NewClock returns a clock that shows what wall shows.
func NewClock(wall func() time.Time, logger *slog.Logger) *Clock {
	return &Clock{wall: wall, logger: logger, began: time.Now(), zero: wall().Round(0)}
}

// Reading is one look at the clock.
type Reading struct {
	// Steady is the wall clock at the coordinator's start plus the time since: it is never set.
	Steady time.Time
	// Stepped is by how much the wall clock was set since the start, forward if positive.
	Stepped time.Duration
}

// Wall is the time by the wall clock.
func (r Reading) Wall() time.Time { return r.Steady.Add(r.Stepped) }

// Read looks at both clocks and notices whether the wall clock was set.
func (c *Clock) Read() Reading {
	steady := c.Steady()
	off := c.wall().Round(0).Sub(steady)
	c.mu.Lock()
	defer c.mu.Unlock()
	by := off - c.stepped
	if by.Abs() < StepNoticed {
		return Reading{steady, c.stepped}
	}
	c.stepped = off
	c.steps++
	if by.Abs() >= stepTold {
		c.logger.Warn("the wall clock was set: timeouts, retries and sleeps go on as before; times that somebody named follow the new clock", "by", by.Round(time.Millisecond))
	}
	return Reading{steady, off}
}

// Steady returns the time on the clock that is never set.
func (c *Clock) Steady() time.Time { return c.zero.Add(time.Since(c.began)) }

// Now returns the time by the wall clock.
func (c *Clock) Now() time.Time { return c.Read().Wall() }

// Until returns how long it is to a time on the steady clock.
func (c *Clock) Until(steady time.Time) time.Duration { return steady.Sub(c.Steady()) }

// Steps returns by how much in total, and how often, the wall clock was set since the clock was
// made.
func (c *Clock) Steps() (stepped time.Duration, steps int64) {
	c.Read()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stepped, c.steps
}
