package machine

import (
	"time"

	"github.com/atonehq/atone/domain"
)

// Wake says when the run next needs attention, for the metadata of an append.
func (s *State) Wake() domain.Wake {
	w := domain.Wake{State: s.Status(), Events: s.waits.events > 0,
		Busy: s.todo.head != nil || s.parkedReady() || s.parks(true) || s.waits.flying > 0 || s.waits.children > 0 || s.mayEnd()}
	due := func(t time.Time) {
		if !t.IsZero() && (w.Due.IsZero() || t.Before(w.Due)) {
			w.Due = t
		}
	}
	due(s.waits.timers.Next())
	w.Instant = s.waits.instants.Next()
	if !s.Paused {
		due(s.waits.retries.Next())
		due(s.waits.parkedRetries.Next())
	}
	if s.canTurnBack() || s.mayTurnBack() && s.Cancel == nil {
		due(s.Start.Deadline)
		if d := s.Start.Deadline; s.Start.Within == 0 && !d.IsZero() && (w.Instant.IsZero() || d.Before(w.Instant)) {
			w.Instant = d
		}
	}
	due(w.Instant)
	return w
}

// AtWork reports whether the run itself has something owed at once or an attempt in flight. One
// that is paused or blocked owes nothing, nor is what is held owed; a child run under way is at
// work itself, or waits.
func (s *State) AtWork() bool {
	if s.waits.flying > 0 || s.Paused || s.Blocked != "" {
		return s.waits.flying > 0
	}
	return s.todo.head != nil || s.parks(false) || s.finish && s.End == ""
}

// Owes reports whether the run owes something at once, or would if it were not paused or blocked.
func (s *State) Owes() bool {
	return s.todo.head != nil || s.parkedReady() || s.finish && s.End == ""
}
