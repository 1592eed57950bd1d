package machine

import (
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// Tick says that time has passed. It decides on everything that is due: attempts to give
// up, sleeps and awaits to end, the run's deadline. Attempts that are due to begin are
// owed (see [State.Todo]) and are begun by [Begin].
type Tick struct {
	// Elsewhere reports whether an attempt is in the hands of another coordinator that is alive, and that gives it
	// up itself, by its own clock. Nil means that none is.
	Elsewhere func(node string) bool
}

// Grace is how long after its deadline an attempt is given up, so that a worker that keeps
// the deadline reports the timeout itself.
const Grace = time.Second

func (in Tick) decide(s *State, now time.Time) ([]domain.Event, error) {
	var events []domain.Event
	if d := s.Start.Deadline; s.mayTurnBack() && !d.IsZero() && !now.Before(d) {
		cause := domain.Failure{Kind: domain.FailureDeadline, Message: "the run's deadline passed at " + d.UTC().Format(time.RFC3339)}
		if s.canTurnBack() {
			return one(&domain.RunTurnedBack{Cause: cause})
		}
		if s.Cancel == nil { // it waits, as a person's cancel does
			events = append(events, &domain.CancelRequested{Cause: cause})
		}
	}
	for _, st := range s.due(now) {
		switch st.Phase {
		case Waiting:
			events = append(events, st.ranOut())
		case Running, Undoing, Probing:
			dir := st.inFlightDirection()
			t := st.tries(dir)
			if !t.Running {
				continue // a child being undone
			}
			if in.Elsewhere != nil && in.Elsewhere(t.Node) {
				continue
			}
			switch {
			case !t.Due.IsZero() && !now.Before(t.Due.Add(Grace)):
				events = append(events, s.giveUpEvent(st, dir, domain.FailureTimedOut, "no outcome by "+t.Due.UTC().Format(time.RFC3339Nano), now))
			case !t.BeatDue.IsZero() && !now.Before(t.BeatDue):
				events = append(events, s.giveUpEvent(st, dir, domain.FailureLost, "no heartbeat by "+t.BeatDue.UTC().Format(time.RFC3339Nano), now))
			}
		}
	}
	return events, nil
}

// due returns the steps whose time has come, the earliest first.
func (s *State) due(now time.Time) []*Step {
	due := s.waits.timers.due(now)
	if named := s.waits.instants.due(now); len(named) > 0 {
		due = append(due, named...)
		slices.SortFunc(due, (*Step).earlier)
	}
	return due
}

// ranOut is what follows when a sleep or an await is due.
func (st *Step) ranOut() domain.Event {
	if st.Node.Kind == domain.KindSleep {
		return &domain.TimerFired{Step: st.Path}
	}
	if def := st.Node.Await.Default; len(def) > 0 {
		return &domain.AwaitMet{Step: st.Path, Value: def, By: "default"}
	}
	return &domain.StepFailed{Step: st.Path, Cause: domain.Failure{Kind: domain.FailurePermanent, Step: st.Path,
		Message: "nothing came by " + st.Due.UTC().Format(time.RFC3339)}}
}

// canTurnBack reports whether the run may begin backward recovery now.
func (s *State) canTurnBack() bool { return s.mayTurnBack() && s.irreversibleInFlight() == nil }

// mayTurnBack reports whether the run may begin backward recovery, once it is known whether an irreversible step takes
// effect.
func (s *State) mayTurnBack() bool {
	return s.root != nil && s.ended() == "" && !s.Turning && !s.PastPivot
}

// irreversibleInFlight returns a step whose irreversible effect may be about to happen, or may have happened: until
// that is known the run does not turn back.
func (s *State) irreversibleInFlight() *Step {
	if len(s.waits.irreversible) > 0 {
		return s.waits.irreversible[0]
	}
	return nil
}

// mayHappen reports whether a do that is not done may yet take effect, or may have.
func (st *Step) mayHappen() bool {
	switch st.Phase {
	case Running, ProbeDue, Probing, ProbeBackoff:
		return true
	case Ready, Backoff, Failed, Stuck:
		return st.InDoubt
	}
	return false
}

func (st *Step) inFlightDirection() domain.Direction {
	switch st.Phase {
	case Undoing:
		return domain.Undo
	case Probing, ProbeBackoff:
		return domain.Probe
	}
	return st.direction()
}

func (st *Step) backoffDirection() domain.Direction {
	switch st.Phase {
	case UndoBackoff:
		return domain.Undo
	case ProbeBackoff:
		return domain.Probe
	}
	return st.direction()
}

// Wake says when the run next needs attention, for the metadata of an append.
func (s *State) Wake() domain.Wake {
	w := domain.Wake{State: s.Status(), Events: s.waits.events > 0,
		Busy: s.todo.head != nil || s.parkedReady() || s.InHands() || s.mayEnd()}
	due := func(t time.Time) {
		if !t.IsZero() && (w.Due.IsZero() || t.Before(w.Due)) {
			w.Due = t
		}
	}
	due(s.waits.timers.next())
	w.Instant = s.waits.instants.next()
	if !s.Paused {
		due(s.waits.retries.next())
		due(s.waits.parkedRetries.next())
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
