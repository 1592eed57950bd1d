package projections

import (
	"time"

	"github.com/atonehq/atone/domain"
)

// Event is a recorded event as views see it. What it points to is shared between
// views: it must not be modified.
type Event struct {
	*domain.Recorded
	// Fact is the event and its circumstances, for an event of a run's stream. Fact.Event is nil
	// where the stream is no run's, or Err is set.
	domain.Fact
	// Run is the run that the stream belongs to; zero for other streams.
	Run domain.RunID
	// Of tells what is known of that run; nil where it has no beginning.
	Of *RunInfo
	// Action, Number and Begun tell of the attempt that the event is about: the action's name,
	// which attempt it is and when that was started. They are empty where the event is about none.
	Action string
	Number int
	Begun  time.Time
	// Again means, of a run's end, that the run had ended before, and was then stuck because of an
	// effect that came late.
	Again bool
	// Err says why the event could not be read: a newer version wrote it, or it was tampered with.
	// Views show that it is there and go on.
	Err error
}

// RunInfo is what a run's first event, and its plan, say for good.
type RunInfo struct {
	domain.RunStarted
	Run domain.RunID
	// No is the position of the run's first event: a number for the run, in the order of starts.
	No domain.Position
	// At is when the run was started.
	At time.Time
	// PlanFields are those of the run's plan.
	PlanFields
}

// When is when the event was decided or, where that is not known, when the log accepted it.
func (e *Event) When() time.Time {
	if e.Meta.At.IsZero() {
		return e.Created
	}
	return e.Meta.At
}

// Took is how long the attempt took that the event ends, or -1 where its start is not known.
func (e *Event) Took() time.Duration {
	if e.Begun.IsZero() {
		return -1
	}
	return max(0, e.When().Sub(e.Begun))
}
