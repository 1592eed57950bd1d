package projections

import (
	"time"

	"github.com/atonehq/atone/domain"
)

// Event is a recorded event as views see it. Views share the values that it points to and must not
// modify them.
type Event struct {
	*domain.Recorded
	// Fact is the event with its metadata, for an event of a run's stream. Fact.Event is nil if the
	// stream is not a run's, or if Err is set.
	domain.Fact
	// Run is the run that the stream belongs to; zero for other streams.
	Run domain.RunID
	// Of describes that run; nil if its stream has no beginning.
	Of *RunInfo
	// Action, Number and Begun describe the event's attempt: the action's name, the number of the
	// attempt, and when it started. They are empty for an event without an attempt.
	Action string
	Number int
	Begun  time.Time
	// Before is what the run's events before this one last said of its state. Zero for a run's
	// first events.
	Before domain.Wake
	// Again means, for a run's end, that the run had ended before and was then stuck because of a
	// late effect.
	Again bool
	// Err says why the event could not be read: a newer version wrote it, or it was tampered with.
	// Views show that there is an event and go on.
	Err error
}

// RunInfo is what a run's first event and plan say. It never changes.
type RunInfo struct {
	domain.RunStarted
	Run domain.RunID
	// No is the position of the run's first event. It numbers runs in the order of their starts.
	No domain.Position
	// At is when the run was started.
	At time.Time
	// PlanFields are those of the run's plan.
	PlanFields
}

// When is when the event was decided or, if that is unknown, when the log accepted it.
func (e *Event) When() time.Time {
	if e.Meta.At.IsZero() {
		return e.Created
	}
	return e.Meta.At
}

// Took is how long the attempt took that the event ends, or -1 if its start is unknown.
func (e *Event) Took() time.Duration {
	if e.Begun.IsZero() {
		return -1
	}
	return max(0, e.When().Sub(e.Begun))
}
