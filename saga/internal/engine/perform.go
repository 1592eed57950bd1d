package engine

import (
	"context"

	"github.com/atonehq/atone/domain"
)

// perform does what durable events ask for.
func (t *turnState) perform(events []decided) {
	a := t.a
	for _, d := range events {
		switch e := d.event.(type) {
		case *domain.AttemptStarted:
			a.dispatch(e)
		case *domain.AttemptSucceeded:
			a.giveBackAttempt(e.Step, e.Direction, e.Attempt)
		case *domain.AttemptFailed:
			a.giveBackAttempt(e.Step, e.Direction, e.Attempt)
			if e.Cause.Kind == domain.FailureTimedOut || e.Cause.Kind == domain.FailureLost {
				a.engine.worker.Cancel(a.attempt(e.Step, e.Direction, e.Attempt), context.DeadlineExceeded)
			}
		case *domain.StepProbed:
			a.giveBackAttempt(e.Step, domain.Probe, e.Attempt)
		case *domain.RunTurnedBack:
			a.State.InFlight(a.stopCancelled)
		case *domain.ItemFailed:
			a.State.InFlightIn(e.Step, e.Item, a.stopCancelled)
		case *domain.RunAbandoned:
			a.giveBackAttempts()
			a.engine.children.ended(a)
		case *domain.ChildStarted:
			a.engine.children.begin(a.childOf(e.Step))
		case *domain.ChildTurnedBack:
			a.engine.children.turnBack(a.childOf(e.Step), e.Cause)
		case *domain.RunCompleted, *domain.RunCompensated, *domain.RunCancelled:
			a.engine.children.ended(a)
		}
	}
}
