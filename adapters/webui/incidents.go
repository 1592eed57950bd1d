package webui

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/atonehq/atone/adapters/webui/internal/choice"
	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga/desk"
)

// incidentsPage is the incidents desk: groups of incidents, or incidents one by one.
type incidentsPage struct {
	Query, State, Saga, Sort string
	Sagas                    []string
	// Each means that incidents are listed one by one, Asked that the search says in which state.
	Each, Asked bool
	// Group is the group that is open, and GroupID what the address says of it.
	Group   *groupRow
	GroupID string
	Groups  []groupRow
	Rows    []incidentRow
	Next    string
	First   bool
	Bad     []string
	// Empty stands in the place of the rows where there are none.
	Empty *empty.Page
	deskForm
}

// deskForm is the bar of levers as a person left it, and what was refused.
type deskForm struct {
	Chosen     map[string]bool
	Reason, To string
	// Problem says what is missing, Done what was done where the rest, Failed, was refused.
	Problem, Done string
	Failed        []refusal
	// MoreFailed counts those that are not listed.
	MoreFailed int
}

// groupRow is a group with what the view does not know of it.
type groupRow struct {
	incidents.GroupRow
	// Snooze is set while the group is snoozed.
	Snooze *desk.GroupSnooze
	Spark  []int
}

// Who lists who looks after incidents of the group.
func (g *groupRow) Who() []string { return slices.Sorted(maps.Keys(g.Assignees)) }

// incidentRow is an incident of a list.
type incidentRow struct{ incidents.Row }

// Choice is the incident as the value of its box.
func (r *incidentRow) Choice() string {
	return choice.Choice{Run: r.Run, Incident: r.ID, Step: r.Step}.Value()
}

// refusal is what refused an act of the desk, and why.
type refusal struct{ Name, Why string }

// snoozedState is the choice of what is snoozed.
const snoozedState = "snoozed"

// incidents lists incidents, the open ones first of all.
func (h *handler) incidents(w http.ResponseWriter, r *http.Request, who Person) error {
	return h.showIncidents(w, r, who, deskForm{}, http.StatusOK)
}

func (h *handler) showIncidents(w http.ResponseWriter, r *http.Request, who Person, form deskForm, status int) error {
	q := r.URL.Query()
	v := h.view(r, who, "incidents", "Incidents")
	v.Note = cmp.Or(form.Done, v.Note)
	d := &incidentsPage{Query: q.Get("q"), State: q.Get("state"), Saga: q.Get("saga"), Sort: q.Get("sort"), GroupID: q.Get("group"), Each: q.Get("each") != "",
		First: q.Get("cursor") == "", Sagas: h.sagaNames(who), deskForm: form}
	f, bad := searched(r, h, who, v, d.Query, search.Incidents)
	d.Bad = bad
	f.Cursor, f.Limit, f.Fresh = q.Get("cursor"), h.cfg.PageSize, caughtUp(q)
	d.narrow(&f)
	if len(bad) == 0 && who.narrow(&f.Sagas) {
		err := h.fillDesk(r, v, d, f)
		if errors.Is(err, projections.ErrBehind) {
			v.Behind = "The list does not show yet what you did. It catches up by itself."
			f.Fresh = projections.Fresh{}
			err = h.fillDesk(r, v, d, f)
		}
		if err = built(v, err); err != nil {
			return err
		}
	}
	h.warn(r, v)
	if len(d.Rows)+len(d.Groups) == 0 {
		d.Empty = h.program(r, who).Incidents(empty.Asked{Query: d.Query + d.Saga, State: d.State, Bad: d.Bad, Behind: v.Behind, Group: d.GroupID != "", Older: d.Next != ""})
	}
	v.D = d
	h.templates.Render(w, r, status, "incidents", v)
	return nil
}

// narrow gives the filter the conditions of the address besides the search.
func (d *incidentsPage) narrow(f *incidents.Filter) {
	if d.Saga != "" && len(f.Sagas) == 0 {
		f.Sagas = []string{d.Saga}
	}
	if d.GroupID != "" {
		f.Groups = []string{d.GroupID}
	}
	if d.Asked = f.HasState(); d.Asked {
		return
	}
	switch d.State {
	case "", snoozedState:
		f.Open, f.Retrying = true, d.GroupID != ""
	case string(incidents.Retrying):
		f.Retrying = true
	case string(incidents.Resolved):
		f.Resolved = true
	}
	f.Ascending = d.State == ""
}

// fillDesk asks the view for what the page lists.
func (h *handler) fillDesk(r *http.Request, v *show.View, d *incidentsPage, f incidents.Filter) error {
	ctx := r.Context()
	snoozed, err := h.cfg.Coordinator.Desk().Groups(ctx)
	if err != nil {
		return err
	}
	f.Doze(v.Now, snoozed)
	d.Groups, d.Rows, d.Next, d.Group = nil, nil, "", nil
	add := func(g *incidents.GroupRow) {
		row := groupRow{GroupRow: *g, Spark: g.Spark(v.Now)}
		if s, ok := snoozed[g.ID]; ok {
			row.Snooze = &s
		}
		d.Groups = append(d.Groups, row)
	}
	// one adds a group that may be seen.
	one := func(id string) error {
		page, err := h.cfg.Views.IncidentGroups(ctx, incidents.GroupFilter{ID: id, Sagas: f.Sagas, Now: v.Now, Fresh: f.Fresh})
		if len(page.Rows) > 0 {
			add(&page.Rows[0])
		}
		return err
	}
	of, grouped := f.Grouped()
	d.Each = d.Each || d.Asked || !grouped
	switch {
	case d.GroupID != "":
		if err := one(d.GroupID); err != nil {
			return err
		}
		if len(d.Groups) == 1 {
			d.Group, d.Groups = &d.Groups[0], nil
		}
	case d.State == snoozedState:
		d.Each, f.Asleep = true, v.Now
		for _, id := range slices.SortedFunc(maps.Keys(snoozed), func(a, b string) int { return snoozed[a].Until.Compare(snoozed[b].Until) }) {
			if len(d.Groups) == h.cfg.PageSize || !d.First {
				break
			}
			if err := one(id); err != nil {
				return err
			}
		}
	case d.State == "" && d.Each && !d.Asked:
		f.Awake = v.Now
	}
	if !d.Each {
		of.Sort, of.Now = incidents.Sort(d.Sort), v.Now
		page, err := ask(r, h.cfg.Views.IncidentGroups, &of, &of.Cursor)
		if err != nil {
			return err
		}
		for _, g := range incidents.Hide(page.Rows, snoozed) {
			if g.Open > 0 { // others are being retried
				add(&g)
			}
		}
		d.Next = page.Next
		return nil
	}
	page, err := ask(r, h.cfg.Views.Incidents, &f, &f.Cursor)
	if err != nil {
		return err
	}
	for i := range page.Rows {
		if _, hidden := snoozed[page.Rows[i].Group]; !hidden || f.Awake.IsZero() {
			d.Rows = append(d.Rows, incidentRow{page.Rows[i]})
		}
	}
	d.Next = page.Next
	return nil
}

// incidentPage is one incident with its history.
type incidentPage struct {
	incidentRow
	History []incidents.Entry
	deskForm
}

// incident shows one incident.
func (h *handler) incident(w http.ResponseWriter, r *http.Request, who Person) error {
	return h.showIncident(w, r, who, r.PathValue("incident"), deskForm{}, http.StatusOK)
}

func (h *handler) showIncident(w http.ResponseWriter, r *http.Request, who Person, id string, form deskForm, status int) error {
	v := h.view(r, who, "incidents", "Incident")
	v.Self = h.cfg.Base + "/incidents/" + url.PathEscape(id)
	v.Note = cmp.Or(form.Done, v.Note)
	f := incidents.Filter{ID: id, Limit: 1, Fresh: caughtUp(r.URL.Query())}
	page, err := h.cfg.Views.Incidents(r.Context(), f)
	if errors.Is(err, projections.ErrBehind) {
		v.Behind = "This does not show yet what you did. It catches up by itself."
		f.Fresh = projections.Fresh{}
		page, err = h.cfg.Views.Incidents(r.Context(), f)
	}
	if err != nil {
		return err
	}
	if len(page.Rows) == 0 || !who.sees(page.Rows[0].Saga) {
		return projections.ErrNotFound
	}
	d := &incidentPage{incidentRow: incidentRow{page.Rows[0]}, deskForm: form}
	d.Chosen = map[string]bool{d.Choice(): true}
	if d.History, err = h.cfg.Views.IncidentHistory(r.Context(), d.No, projections.Fresh{}); err != nil {
		return err
	}
	slices.Reverse(d.History)
	h.warn(r, v)
	v.D = d
	h.templates.Render(w, r, status, "incident", v)
	return nil
}
