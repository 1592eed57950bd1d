package webui

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/draw"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
)

// stepRow is a step with its payloads, redacted.
type stepRow struct {
	explain.Step
	Took time.Duration
}

// begun counts the steps of a run, in all and by phase, as in "7, 1 done, 5 undone".
func begun(steps []explain.Step) string {
	phases := map[machine.Phase]int{}
	for i := range steps {
		phases[steps[i].Phase]++
	}
	text := format.Number(int64(len(steps)))
	if n := phases[machine.Done]; n > 0 && n == len(steps) {
		return text + ", all done"
	}
	for _, p := range []machine.Phase{machine.Done, machine.Undone} {
		if phases[p] > 0 {
			text += ", " + format.Number(int64(phases[p])) + " " + p.String()
		}
	}
	return text
}

// steps lists the steps with their payloads.
func (t *told) steps(now time.Time) []stepRow {
	hist := draw.ReadHistory(t.facts, now)
	out := make([]stepRow, len(t.look.Run.Steps))
	for i, s := range t.look.Run.Steps {
		out[i] = stepRow{Step: s, Took: hist.Took[s.Path]}
	}
	return out
}

// stepPage is what unfolds below a row of the timeline.
type stepPage struct {
	Run  domain.RunID
	Step stepRow
	Rows []story.Line
	// Child is the run that the step started. It is told by its own stream, at its own revision.
	Child *childRun
	// Starts does again what began the step: its action alone, or the signal that it awaits.
	Starts format.Command
}

// childRun is a child run within the timeline of its parent.
type childRun struct {
	lanesPage
	Saga     string
	Version  int
	State    domain.RunState
	Revision uint64
}

// child reads a run that a step started; nil for one that the person may not see.
func (h *handler) child(r *http.Request, who Person, id domain.RunID, now time.Time) (*childRun, error) {
	t, err := h.tell(r.Context(), who, id)
	switch {
	case errors.Is(err, saga.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	why := t.look.Why(r.Context(), now)
	c := &childRun{Saga: t.look.Run.Saga, Version: t.look.Run.Version, State: format.Shown(&why), Revision: t.facts[len(t.facts)-1].Revision}
	c.lanesPage = lanesPage{Run: id, Inside: true, Timeline: draw.ReadHistory(t.facts, now).Draw(t.state, draw.Rows{}, false).Hide(t.look.Cloak)}
	return c, nil
}

// children are the runs that the run's steps have started.
func (t *told) children() map[string]string {
	out := map[string]string{}
	for i := range t.look.Run.Steps {
		if s := &t.look.Run.Steps[i]; s.Child != nil {
			out[s.Path] = s.Child.String()
		}
	}
	return out
}

// starts is what began a step.
func (t *told) starts(program string, s *explain.Step) (c format.Command) {
	switch {
	case s.Action != "" && len(s.Input) > 0:
		return format.StartCommand(program, s.Action, 0, "", s.Input)
	case s.Kind == domain.KindAwait:
		t.state.Steps(func(st *machine.Step) {
			if st.Path == s.Path && st.Node.Await.Signal != "" {
				c = format.SignalCommand(program, t.id.String(), st.Node.Await.Signal, s.Output)
			}
		})
	}
	return c
}

// step shows what happened to one step, and its payloads.
func (h *handler) step(w http.ResponseWriter, r *http.Request, who Person) error {
	id, until, err := h.runAt(r, who)
	if err != nil {
		return err
	}
	t, err := h.tellUntil(r.Context(), who, id, until)
	if err != nil {
		return err
	}
	path := r.URL.Query().Get("path")
	d := &stepPage{Run: id}
	found := false
	v := h.view(r, who, "runs", path)
	if until != domain.End {
		v.Now = t.moment()
	}
	for _, s := range t.steps(v.Now) {
		if s.Path == path {
			if settledWell(s.Phase) {
				s.Cause = nil // the failures on the way are told among its events
			}
			d.Step, found = s, true
		}
	}
	if !found {
		return fmt.Errorf("step %s of run %s: %w", path, id, errNoPage)
	}
	for _, row := range story.Of(id, t.facts, t.plan.Secrets()).Lines {
		if row.Step == path {
			d.Rows = append(d.Rows, row)
		}
	}
	d.Starts = t.starts(h.cfg.Program, &d.Step.Step)
	if id := d.Step.Child; id != nil && until == domain.End {
		if d.Child, err = h.child(r, who, *id, v.Now); err != nil {
			return err
		}
	}
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "step", v)
	return nil
}

// settledWell reports whether nothing is left to be worried about.
func settledWell(p machine.Phase) bool {
	return p == machine.Done || p == machine.Undone || p == machine.Skipped
}
