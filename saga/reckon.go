package saga

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/timers"
)

// ClockStatus tells of a coordinator's wall clock.
type ClockStatus struct {
	// Stepped is by how much the wall clock was set since the coordinator was made, forward if positive.
	Stepped time.Duration
	// Steps counts how often it was set.
	Steps int64
}

// Clock tells whether this process's wall clock was set since the coordinator was made.
func (c *Coordinator) Clock() ClockStatus {
	stepped, steps := c.clock.Steps()
	return ClockStatus{Stepped: stepped, Steps: steps}
}

// reckon has the run go by this coordinator's clock as it stands, and returns the time by it. The run's next
// event says so.
func (a *actor) reckon() time.Time {
	r := a.c.clock.Read()
	a.adopt(r.Stepped)
	return r.Wall()
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
	if ahead, known := c.cluster.Ahead(by.Node); known {
		shift := stepped - time.Duration(by.Stepped) - ahead
		if shift.Abs() < timers.StepNoticed {
			return 0
		}
		return shift
	}
	return stepped // a coordinator that is gone: by the wall clock as it was when this one started
}
