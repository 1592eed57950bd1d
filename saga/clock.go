package saga

import (
	"log/slog"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// clock tells a coordinator the time (rule 20). Durations are measured on the monotonic clock; what is
// recorded, and the instants that people name, are by the wall clock, which may be set at any time. Between
// two such steps the wall clock is taken to run as the monotonic one does. It is safe to use concurrently.
//
// It is the one place where a coordinator asks for the time.
type clock struct {
	wall   func() time.Time
	logger *slog.Logger
	// began has a monotonic reading; zero is the wall clock then.
	began, zero time.Time

	mu      sync.Mutex
	stepped time.Duration
	steps   int64
}

// stepNoticed is from what difference on the wall clock counts as set. What is recorded is off by less than that.
const stepNoticed = 50 * time.Millisecond

// stepTold is from what difference a person is told.
const stepTold = time.Second

func newClock(wall func() time.Time, logger *slog.Logger) *clock {
	return &clock{wall: wall, logger: logger, began: time.Now(), zero: wall().Round(0)}
}

// reading is one look at the clock.
type reading struct {
	// steady is the wall clock of the coordinator's start and what has passed since: it is never set.
	steady time.Time
	// stepped is by how much the wall clock was set since the start.
	stepped time.Duration
}

// wall is the time by the wall clock.
func (r reading) wall() time.Time { return r.steady.Add(r.stepped) }

// read looks at both clocks and notices whether the wall clock was set.
func (c *clock) read() reading {
	steady := c.steady()
	off := c.wall().Round(0).Sub(steady)
	c.mu.Lock()
	defer c.mu.Unlock()
	by := off - c.stepped
	if by.Abs() < stepNoticed {
		return reading{steady, c.stepped}
	}
	c.stepped = off
	c.steps++
	if by.Abs() >= stepTold {
		c.logger.Warn("the wall clock was set: timeouts, retries and sleeps go on as before, times that somebody named are by the new clock", "by", by.Round(time.Millisecond))
	}
	return reading{steady, off}
}

// steady returns the time on the clock that is never set.
func (c *clock) steady() time.Time { return c.zero.Add(time.Since(c.began)) }

// now returns the time by the wall clock.
func (c *clock) now() time.Time { return c.read().wall() }

// until returns how long it is to a time on the steady clock.
func (c *clock) until(steady time.Time) time.Duration { return steady.Sub(c.steady()) }

// ClockStatus tells of a coordinator's wall clock.
type ClockStatus struct {
	// Stepped is by how much the wall clock was set since the coordinator was made, forward if positive.
	Stepped time.Duration
	// Steps counts how often it was set.
	Steps int64
}

// Clock tells whether this process's wall clock was set since the coordinator was made.
func (c *Coordinator) Clock() ClockStatus {
	c.clock.read()
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	return ClockStatus{Stepped: c.clock.stepped, Steps: c.clock.steps}
}

// reckon has the run go by this coordinator's clock as it stands, and returns the time by it. The run's next
// event says so.
func (a *actor) reckon() time.Time {
	r := a.c.clock.read()
	a.adopt(r.stepped)
	return r.wall()
}

func (a *actor) adopt(stepped time.Duration) {
	here := domain.Clock{Node: a.c.incarnation, Stepped: domain.Duration(stepped)}
	was := a.state.Clock
	a.stepped = stepped
	if was == here || was == (domain.Clock{}) && stepped == 0 && !a.c.cfg.Shared {
		return
	}
	here.Shift = domain.Duration(a.c.shiftFrom(was, stepped))
	a.state.Reckon(here)
	here.Shift += a.clock.Shift // what was not recorded yet
	a.clock = here
}

// shiftFrom returns how far times by another clock are from the same ones by this coordinator's.
func (c *Coordinator) shiftFrom(by domain.Clock, stepped time.Duration) time.Duration {
	if by.Node == c.incarnation {
		return stepped - time.Duration(by.Stepped)
	}
	if ahead, known := c.cluster.ahead(by.Node); known {
		shift := stepped - time.Duration(by.Stepped) - ahead
		if shift.Abs() < stepNoticed {
			return 0
		}
		return shift
	}
	return stepped // a coordinator that is gone: by the wall clock as it was when this one started
}
