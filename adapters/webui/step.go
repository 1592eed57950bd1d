package webui

import (
	"fmt"
	"net/http"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/draw"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// stepRow is a step with its payloads, redacted.
type stepRow struct {
	saga.StepView
	Took time.Duration
}

// begun counts the steps of a run and tells what became of them, as in "7, 1 done, 5 undone".
func begun(steps []saga.StepView) string {
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
	out := make([]stepRow, len(t.look.View.Steps))
	for i, s := range t.look.View.Steps {
		out[i] = stepRow{StepView: s, Took: hist.Took[s.Path]}
	}
	return out
}

// stepPage is what unfolds below a row of the timeline.
type stepPage struct {
	Run  domain.RunID
	Step stepRow
	Rows []story.Line
}

// step shows what happened to one step, and its payloads.
func (h *handler) step(w http.ResponseWriter, r *http.Request, who Person) error {
	id, err := runParam(r)
	if err != nil {
		return err
	}
	until, err := momentParam(r)
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
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "step", v)
	return nil
}

// settledWell reports whether nothing is left to be worried about.
func settledWell(p machine.Phase) bool {
	return p == machine.Done || p == machine.Undone || p == machine.Skipped
}
