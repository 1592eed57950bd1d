package runs

import (
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
)

// Waiting says in a sentence what an unfinished run waits for: its most urgent step, and how many
// more there are. It is empty for a run that has ended. The clock writes the instants.
func (r *Row) Waiting(now time.Time, clock explain.Clock) string {
	switch {
	case r.State.Ended():
		return ""
	case r.Paused != "":
		return "paused: " + r.Paused
	case r.Blocker != nil && r.Blocked == "":
		return r.Blocker.tell()
	}
	best := -1
	for i := range r.Steps {
		if best < 0 || urgency[r.Steps[i].WaitsFor] > urgency[r.Steps[best].WaitsFor] {
			best = i
		}
	}
	if best >= 0 && r.Steps[best].WaitsFor == explain.ForPerson {
		return r.Steps[best].waiting(now, clock) + r.others()
	}
	if r.Blocked != "" {
		return r.Blocked
	}
	if best < 0 {
		return "nothing is in flight: the coordinator takes the next step"
	}
	return r.Steps[best].waiting(now, clock) + r.others()
}

func (r *Row) others() string {
	if n := len(r.Steps) + r.More - 1; n > 0 {
		return fmt.Sprintf(" (and %d more)", n)
	}
	return ""
}

// urgency sorts steps by how important they are to show.
var urgency = map[explain.For]int{
	explain.ForPerson: 8, explain.ForRetry: 7, explain.ForProbe: 6, explain.ForOutcome: 5, explain.ForChild: 4, explain.ForEvent: 3, explain.ForSignal: 2, explain.ForTime: 1,
}

// waiting tells what the step waits for in the words of [explain.Wait]: a row has less to say, but
// the sentence is one.
func (s *Step) waiting(now time.Time, clock explain.Clock) string {
	w := explain.Wait{Step: s.Step, Direction: s.Direction, Attempt: s.Attempt, SinceRetry: s.Attempt, Since: s.Since, Until: s.Due,
		WaitsFor: s.WaitsFor, Ways: "retry, skip or resolve"}
	if s.Error != "" || s.WaitsFor == explain.ForPerson || s.WaitsFor == explain.ForRetry || s.WaitsFor == explain.ForProbe {
		w.Cause = &domain.Failure{Message: s.Error}
	}
	switch s.WaitsFor {
	case explain.ForChild:
		w.Child, w.Back = s.What, s.Direction == domain.Undo
	case explain.ForSignal, explain.ForEvent:
		w.Name = s.What
	}
	return w.Tell(now, clock)
}
