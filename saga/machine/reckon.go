package machine

import (
	"time"

	"github.com/atonehq/atone/domain"
)

// Reckon changes the clock that the run goes by: to another coordinator's, or to the same one after
// it was set. Times that end a duration move by c.Shift, so that the duration left stays the same.
// [Evolve] does so for an event that carries a clock. A coordinator calls it before a decision,
// whose first event then carries the clock. The clock that the run already goes by changes nothing.
func (s *State) Reckon(c domain.Clock) {
	by := time.Duration(c.Shift)
	c.Shift = 0
	if c == (domain.Clock{}) || c == s.Clock {
		return
	}
	s.Clock = c
	if by == 0 || s.root == nil {
		return
	}
	if s.Start.Within > 0 {
		s.Start.Deadline = moved(s.Start.Deadline, by)
	}
	s.root.walk(func(st *Step) { s.reckonStep(st, by) })
	for _, h := range s.handlers {
		s.reckonStep(h, by)
	}
}

func (s *State) reckonStep(st *Step, by time.Duration) {
	if st.on == nil {
		return // nothing of it is under way
	}
	if !st.Instant {
		st.Due = moved(st.Due, by)
	}
	for _, t := range [...]*Tries{&st.Do, &st.Undo, &st.Probe} {
		for _, at := range [...]*time.Time{&t.First, &t.Last, &t.Due, &t.BeatDue, &t.RetryAt} {
			*at = moved(*at, by)
		}
	}
	s.reschedule(st)
}

func moved(t time.Time, by time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(by)
}
