package machine

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine/internal/due"
)

// Tick says that time has passed. It decides on everything that is due: attempts to give
// up, sleeps and awaits to end, the run's deadline. Attempts that are due to begin are
// owed (see [State.Todo]) and are begun by [Begin].
type Tick struct {
	// Elsewhere reports whether another coordinator that is alive has the attempt: that one gives
	// it up, by its own clock. Nil means that none has.
	Elsewhere func(node string) bool
}

// Grace is how long after its deadline an attempt is given up, so that a worker that keeps
// the deadline reports the timeout itself.
const Grace = time.Second

func (in Tick) decide(s *State, now moment) ([]domain.Event, error) {
	var events []domain.Event
	if d := s.Start.Deadline; s.mayTurnBack() && !d.IsZero() && !now.Before(d) {
		cause := domain.Failure{Kind: domain.FailureDeadline, Message: "the run's deadline passed at " + d.UTC().Format(time.RFC3339)}
		if s.canTurnBack() {
			return one(&domain.RunTurnedBack{Cause: cause})
		}
		if s.Cancel == nil { // it waits as a person's cancel does
			events = append(events, &domain.CancelRequested{Cause: cause})
		}
	}
	for _, st := range due.By(now.Time, &s.waits.timers, &s.waits.instants) {
		switch st.Phase {
		case Waiting:
			events = append(events, st.ranOut())
		case Running, Undoing, Probing:
			dir := st.Direction()
			t := st.Tries(dir)
			if !t.Running || in.Elsewhere != nil && in.Elsewhere(t.Node) {
				continue // a child being undone, or an attempt that another coordinator gives up
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
