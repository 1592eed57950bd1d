package webui

import (
	"errors"
	"net/http"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/choice"
	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/look"
)

// runsPage is what the runs list shows.
type runsPage struct {
	Query, State, Sort string
	Groups             []choice.Group
	Rows               []runRow
	Next               string
	First              bool
	Bad                []string
	// Holds are the actions that are held.
	Holds []explain.Hold
	// Empty stands in the place of the rows where there are none.
	Empty *empty.Page
	// Filtered means that conditions narrow the list.
	Filtered bool
}

type runRow struct {
	*runs.Row
	Waiting string
	// Held is the hold that the run waits for; nil for none.
	Held *explain.Hold
}

// runs lists runs.
func (h *handler) runs(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	v := h.view(r, who, "runs", "Runs")
	d := &runsPage{Query: q.Get("q"), State: q.Get("state"), Sort: q.Get("sort"), First: q.Get("cursor") == ""}
	if saga := q.Get("saga"); saga != "" {
		d.Query = strings.TrimSpace(search.Condition("saga", saga) + " " + d.Query)
	}
	if id, ok := search.WholeID(d.Query); ok {
		show.GoTo(w, r, h.cfg.Base+"/runs/"+id.String(), "")
		return nil
	}
	d.Holds = h.holdsSeen(who)
	f, bad := searched(r, h, who, v, d.Query, search.Runs)
	d.Bad = bad
	d.Filtered = strings.TrimSpace(d.Query) != "" || d.State != ""
	f.Cursor, f.Limit = q.Get("cursor"), h.cfg.PageSize
	switch d.Sort {
	case "oldest":
		f.Ascending = true
	case "ended":
		f.Sort = runs.ByEnded
	case "wake":
		f.Sort, f.Ascending = runs.ByWake, true
	}
	var counts map[domain.RunState]int
	if len(bad) == 0 && who.narrow(&f.Sagas) {
		found, err := h.findRuns(r, f, choice.States(d.State))
		if err == nil {
			err = runs.LookBelow(r.Context(), found.Rows, who.Sagas, h.cfg.Views.Runs)
		}
		if err = built(v, err); err != nil {
			return err
		}
		d.Next, counts = found.Next, found.counts
		for i := range found.Rows {
			run := &found.Rows[i]
			row := runRow{Row: run, Waiting: inShort(run.Waiting(v.Now, format.Mark))}
			if run.Ended.IsZero() {
				_, row.Held = look.HeldAt(r.Context(), h.cfg.Coordinator, run.ID, run.Plan, d.Holds, v.Now)
			}
			d.Rows = append(d.Rows, row)
		}
	}
	d.Groups = choice.Groups(d.State, counts)
	h.warn(r, v)
	if len(d.Rows) == 0 {
		d.Empty = h.program(r, who).Runs(empty.Asked{Query: d.Query, State: d.State, Bad: d.Bad, Behind: v.Behind})
	}
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "runs", v)
	return nil
}

// foundRuns is a page of the list, with the number of runs that the search finds in each state; nil
// if the numbers are not known.
type foundRuns struct {
	runs.Page
	counts map[domain.RunState]int
}

// findRuns queries the view. The states narrow the page, but not the numbers.
func (h *handler) findRuns(r *http.Request, f runs.Filter, states []domain.RunState) (found foundRuns, err error) {
	own := f.States
	for _, g := range append([]runs.Filter{f}, choice.Guesses(f)...) {
		f = g
		f.States = choice.Both(own, states)
		if found.Page, err = ask(r, h.cfg.Views.Runs, &f, &f.Cursor); err != nil {
			return found, err
		}
		if len(found.Rows) > 0 {
			break
		}
	}
	f.States = nil
	if found.counts, err = h.cfg.Views.RunCounts(r.Context(), f); errors.Is(err, projections.ErrNotCounted) {
		err = nil
	}
	return found, err
}

// inShort shortens the sentence of a wait for the list: it drops the state, which the list shows in
// its own column, and the advice, which the run's page gives.
func inShort(waiting string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(waiting, "stuck: "), "stuck below: "), "paused: "), "; retry, skip or resolve")
}
