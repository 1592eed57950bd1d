package look

import (
	"time"

	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// Run is a run at one revision, as it may be shown.
type Run struct {
	// View is how the run stands, without its secrets.
	View saga.RunView
	// Cloak hides the run's secrets in whatever else is shown of it.
	Cloak *secret.Cloak
	state *machine.State
}

// At looks at a folded state, which it does not change.
func At(s *machine.State) *Run {
	view := saga.ViewOf(s)
	cloak := view.Cloak(s.Plan.Secrets())
	return &Run{View: view.Hide(cloak), Cloak: cloak, state: s}
}

// Why says what the run waits for at the time. The surroundings may be nil: then what only they
// know is left out.
func (r *Run) Why(now time.Time, around machine.Surroundings) machine.Reason {
	why := machine.WhyWith(r.state, now, around)
	if len(r.Cloak.Fields()) == 0 {
		return why
	}
	why.Text = r.Cloak.Text(why.Text)
	for i := range why.Waits {
		w := &why.Waits[i]
		w.Text, w.Cause = r.Cloak.Text(w.Text), r.Cloak.Failure(w.Cause)
	}
	return why
}

// Undo tells, step by step, what cancelling the run would do at the time. It consumes the state
// that the run was looked at: this is the last question.
func (r *Run) Undo(now time.Time) machine.Preview {
	return machine.PreviewCancel(r.state, now).Hide(r.Cloak)
}
