package incidents

import (
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// How an incident ended other than by a [domain.Resolution].
const (
	Retried    = "retried"     // the step got new attempts, and one of them succeeded
	Abandoned  = "abandoned"   // the run was closed with effects left
	TurnedBack = "turned back" // the run turned back, so the step need not succeed
	Settled    = "settled"     // something else let the run go on: a late outcome
)

// ends returns how the event ends an open incident of the run, or "".
func ends(e *projections.Event, r *Row) (how, reason string) {
	switch d := e.Event.(type) {
	case *domain.StepResolved:
		if d.Step == r.Step && d.Direction == r.Direction {
			return string(d.How), d.Reason
		}
	case *domain.RunAbandoned:
		return Abandoned, d.Reason
	case *domain.RunTurnedBack:
		if r.Direction != domain.Undo {
			return TurnedBack, d.Cause.Message
		}
	}
	if s := e.Meta.Wake.State; s != "" && s != domain.RunIsStuck {
		return Settled, ""
	}
	return "", ""
}

// mends returns how the event ends an incident of the run whose step is being retried, or "".
func mends(e *projections.Event, r *Row) (how, reason string) {
	switch d := e.Event.(type) {
	case *domain.AttemptSucceeded:
		how = retriedAt(r, d.Step, d.Direction)
	case *domain.StepProbed:
		if d.Verdict == domain.Applied {
			how = retriedAt(r, d.Step, domain.Do)
		}
	case *domain.OutcomeLate:
		if d.Cause == nil {
			how = retriedAt(r, d.Step, d.Direction)
		}
	case *domain.ChildEnded:
		if r.Direction == domain.Undo || d.State == domain.RunIsCompleted {
			how = retriedAt(r, d.Step, r.Direction)
		}
	case *domain.ValueComputed:
		how = retriedAt(r, d.Step, r.Direction)
	case *domain.BranchChosen:
		how = retriedAt(r, d.Step, r.Direction)
	case *domain.ItemsListed:
		how = retriedAt(r, d.Step, r.Direction)
	case *domain.StepIgnored:
		if d.Step == r.Step {
			return Settled, ""
		}
	case *domain.ItemFailed:
		if r.Direction != domain.Undo && strings.HasPrefix(r.Step, d.Step+"/") {
			return Settled, ""
		}
	case *domain.RunAbandoned:
		return Abandoned, d.Reason
	case *domain.RunTurnedBack:
		if r.Direction != domain.Undo {
			return TurnedBack, d.Cause.Message
		}
	}
	if how == "" && e.Meta.Wake.State.Ended() {
		how = Retried
	}
	return how, r.Reason
}

func retriedAt(r *Row, step string, dir domain.Direction) string {
	if step == r.Step && dir == r.Direction {
		return Retried
	}
	return ""
}
