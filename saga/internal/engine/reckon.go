package engine

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/timers"
)

// reckon switches the run to this coordinator's clock as it is set now, and returns the time. The
// run's next event says so.
func (a *actor) reckon() time.Time {
	r := a.engine.cfg.Clock.Read()
	a.adopt(r.Stepped)
	return r.Wall()
}

func (a *actor) adopt(stepped time.Duration) {
	here := domain.Clock{Node: a.engine.cfg.Incarnation, Stepped: domain.Duration(stepped)}
	was := a.State.Clock
	a.stepped = stepped
	if was == here || was == (domain.Clock{}) && stepped == 0 && !a.engine.cfg.Shared {
		return
	}
	here.Shift = domain.Duration(a.engine.shiftFrom(was, stepped))
	a.State.Reckon(here)
	here.Shift += a.clock.Shift // what was not recorded yet
	a.clock = here
}

// shiftFrom returns what to add to a time by another clock to get this coordinator's time.
func (e *Engine) shiftFrom(by domain.Clock, stepped time.Duration) time.Duration {
	if by.Node == e.cfg.Incarnation {
		return stepped - time.Duration(by.Stepped)
	}
	if ahead, known := e.cfg.Ahead(by.Node); known {
		shift := stepped - time.Duration(by.Stepped) - ahead
		if shift.Abs() < timers.StepNoticed {
			return 0
		}
		return shift
	}
	return stepped // its coordinator is gone: assume the wall clock from when this one started
}

// startTime returns the time for a start: now, or a little later, and never the same twice in a
// row. Two starts of one run at one instant would be the same bytes: the log would take the second
// for a repeat of the first, and both would be performed. If the clock is set back, startTime goes
// back too.
func (e *Engine) startTime(now time.Time) time.Time {
	for {
		last, n := e.lastStart.Load(), now.UnixNano()
		if n <= last && last-n < int64(time.Second) {
			now, n = now.Add(time.Duration(last+1-n)), last+1
		}
		if e.lastStart.CompareAndSwap(last, n) {
			return now
		}
	}
}
