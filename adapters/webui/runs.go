package webui

import (
	"net/http"
	"slices"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/search"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

// runsPage is what the runs list shows.
type runsPage struct {
	Query, State, Sort string
	Groups             []stateGroup
	Sagas              []string
	Rows               []runRow
	Next               string
	First              bool
	Bad                []string
	// Filtered means that conditions narrow the list.
	Filtered bool
}

type stateGroup struct {
	Name, Label string
	Count       int // of unfinished runs, -1 where it isn't known
}

type runRow struct {
	*runs.Row
	Waiting string
}

// runs lists runs.
func (h *handler) runs(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	v := h.view(r, who, "runs", "Runs")
	d := &runsPage{Query: q.Get("q"), State: q.Get("state"), Sort: q.Get("sort"), First: q.Get("cursor") == ""}
	s := search.Runs(d.Query, v.Now)
	if s.Run != (domain.RunID{}) {
		show.GoTo(w, r, h.cfg.Base+"/runs/"+s.Run.String(), "")
		return nil
	}
	d.Bad = s.Bad
	d.Filtered = d.Query != "" || d.State != ""
	f := s.Filter
	f.States, f.Cursor, f.Limit = statesOf(d.State), q.Get("cursor"), h.cfg.PageSize
	switch d.Sort {
	case "oldest":
		f.Ascending = true
	case "ended":
		f.Sort = runs.ByEnded
	case "wake":
		f.Sort, f.Ascending = runs.ByWake, true
	}
	d.Groups = h.groups(who)
	d.Sagas = h.sagaNames(who)
	if who.narrow(&f.Sagas) {
		page, err := h.findRuns(r, f)
		if err = built(v, err); err != nil {
			return err
		}
		d.Next = page.Next
		for i := range page.Rows {
			run := &page.Rows[i]
			d.Rows = append(d.Rows, runRow{Row: run, Waiting: inShort(run.Waiting(v.Now))})
		}
	}
	h.warn(r, v)
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "runs", v)
	return nil
}

// findRuns asks the view. A single word that no error has is also tried as a key, which people
// paste.
func (h *handler) findRuns(r *http.Request, f runs.Filter) (runs.Page, error) {
	page, err := ask(r, h.cfg.Views.Runs, &f, &f.Cursor)
	if err != nil || len(page.Rows) > 0 || f.Text == "" || f.Key != "" || strings.Contains(f.Text, " ") {
		return page, err
	}
	f.Key, f.Text, f.Cursor = f.Text, "", ""
	return h.cfg.Views.Runs(r.Context(), f)
}

// stateGroups are the choices of the runs list; a group that is not a state's name stands for
// several.
var stateGroups = []string{"", "unfinished", "running", "compensating", "stuck", "completed", "compensated", "cancelled", "abandoned"}

func statesOf(group string) []domain.RunState {
	switch {
	case group == "unfinished":
		return []domain.RunState{domain.RunRunning, domain.RunCompensating, domain.RunIsStuck}
	case group == "" || !slices.Contains(stateGroups, group):
		return nil
	}
	return []domain.RunState{domain.RunState(group)}
}

// inShort leaves out of the sentence what the list shows by colour and what the run's page offers.
func inShort(waiting string) string {
	return strings.TrimSuffix(strings.TrimPrefix(waiting, "stuck: "), "; retry, skip or resolve")
}

// groups are the choices of state with the numbers of unfinished runs.
func (h *handler) groups(who Person) []stateGroup {
	states := h.cfg.Coordinator.RunStates()
	out := make([]stateGroup, len(stateGroups))
	for i, name := range stateGroups {
		out[i] = stateGroup{Name: name, Label: name, Count: -1}
		switch name {
		case "":
			out[i].Label = "all"
		case "unfinished":
			out[i].Count = states[domain.RunRunning] + states[domain.RunCompensating] + states[domain.RunIsStuck]
		case "running", "compensating", "stuck":
			out[i].Count = states[domain.RunState(name)]
		}
		if len(who.Sagas) > 0 {
			out[i].Count = -1
		}
	}
	return out
}
