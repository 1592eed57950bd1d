package webui

import (
	"errors"
	"net/http"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
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
	*projections.Run
	Waiting string
}

// runs lists runs.
func (h *handler) runs(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	v := h.view(r, who, "runs", "Runs")
	d := &runsPage{Query: q.Get("q"), State: q.Get("state"), Sort: q.Get("sort"), First: q.Get("cursor") == ""}
	s := parseSearch(d.Query, v.Now)
	if s.run != (domain.RunID{}) {
		h.goTo(w, r, h.cfg.Base+"/runs/"+s.run.String(), "")
		return nil
	}
	d.Bad = s.bad
	d.Filtered = d.Query != "" || d.State != ""
	f := s.filter
	f.States, f.Cursor, f.Limit = statesOf(d.State), q.Get("cursor"), h.cfg.PageSize
	switch d.Sort {
	case "oldest":
		f.Ascending = true
	case "ended":
		f.Sort = projections.ByEnded
	case "wake":
		f.Sort, f.Ascending = projections.ByWake, true
	}
	d.Groups = h.groups(who)
	d.Sagas = h.sagaNames(who)
	if who.narrow(&f.Sagas) {
		page, err := h.findRuns(r, f)
		if err = built(v, err); err != nil {
			return err
		}
		d.Next = page.Next
		for _, run := range page.Runs {
			d.Rows = append(d.Rows, runRow{Run: run, Waiting: inShort(run.Waiting(v.Now))})
		}
	}
	h.warn(r, v)
	v.D = d
	h.render(w, r, http.StatusOK, "runs", v)
	return nil
}

// findRuns asks the view. A single word that no error has is also tried as a key, which people paste.
func (h *handler) findRuns(r *http.Request, f projections.RunFilter) (projections.RunPage, error) {
	page, err := h.cfg.Views.Runs(r.Context(), f)
	if errors.Is(err, projections.ErrBadCursor) { // the filter changed under a kept cursor: begin again
		f.Cursor = ""
		page, err = h.cfg.Views.Runs(r.Context(), f)
	}
	if err != nil || len(page.Runs) > 0 || f.Text == "" || f.Key != "" || strings.Contains(f.Text, " ") {
		return page, err
	}
	f.Key, f.Text, f.Cursor = f.Text, "", ""
	return h.cfg.Views.Runs(r.Context(), f)
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

// sagaNames lists the sagas that the person may see.
func (h *handler) sagaNames(who Person) []string {
	var names []string
	for _, s := range h.cfg.Coordinator.Sagas() {
		if who.sees(s.Name) && (len(names) == 0 || names[len(names)-1] != s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}
