package webui

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/adapters/webui/internal/search"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/incidents"
)

// incidentsPage is the incidents desk.
type incidentsPage struct {
	Query, State, Saga string
	Sagas              []string
	Rows               []incidentRow
	Next               string
	First              bool
	Open               bool
	Failed             []refusal
}

// incidentRow is an incident with the key of its run, by which people know it.
type incidentRow struct {
	incidents.Row
	Key string
}

// refusal is an incident that a bulk operation could not settle, and why.
type refusal struct{ Name, Why string }

// incidents lists incidents, the open ones first of all.
func (h *handler) incidents(w http.ResponseWriter, r *http.Request, who Person) error {
	return h.showIncidents(w, r, who, nil, "", http.StatusOK)
}

func (h *handler) showIncidents(w http.ResponseWriter, r *http.Request, who Person, failed []refusal, note string, status int) error {
	q := r.URL.Query()
	v := h.view(r, who, "incidents", "Incidents")
	if note != "" {
		v.Note = note
	}
	d := &incidentsPage{Query: q.Get("q"), State: q.Get("state"), Saga: q.Get("saga"), First: q.Get("cursor") == "", Failed: failed, Sagas: h.sagaNames(who)}
	d.Open = d.State == ""
	f := search.Incidents(d.Query)
	f.Open, f.Resolved, f.Ascending = d.Open, d.State == "resolved", d.Open
	f.Cursor, f.Limit, f.Fresh = q.Get("cursor"), h.cfg.PageSize, caughtUp(q)
	if d.Saga != "" {
		f.Sagas = []string{d.Saga}
	}
	if who.narrow(&f.Sagas) {
		page, err := h.findIncidents(r, v, f)
		if err = built(v, err); err != nil {
			return err
		}
		d.Next = page.Next
		runs := h.lookup()
		for _, i := range page.Rows {
			d.Rows = append(d.Rows, incidentRow{i, runs.of(r.Context(), i.Run).Key})
		}
	}
	h.warn(r, v)
	v.D = d
	h.templates.Render(w, r, status, "incidents", v)
	return nil
}

// findIncidents asks the view. Where it is behind what the person did, it is shown as it is.
func (h *handler) findIncidents(r *http.Request, v *show.View, f incidents.Filter) (incidents.Page, error) {
	page, err := ask(r, h.cfg.Views.Incidents, &f, &f.Cursor)
	if errors.Is(err, projections.ErrBehind) {
		v.Behind = "The list does not show yet what you did. It catches up by itself."
		f.Fresh = projections.Fresh{}
		return ask(r, h.cfg.Views.Incidents, &f, &f.Cursor)
	}
	return page, err
}

// maxChosen bounds the incidents that one form settles. maxRefusal bounds what is told of each
// refusal, in characters: the text of a form must not come back once for every incident.
const (
	maxChosen  = 1_000
	maxRefusal = 300
)

// settle retries, skips, or abandons the chosen incidents. Each stands on its own.
func (h *handler) settle(w http.ResponseWriter, r *http.Request, who Person) error {
	if !who.Operate {
		return errDenied
	}
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errBadForm, err)
	}
	act, reason, chosen := r.PostForm.Get("act"), strings.TrimSpace(r.PostForm.Get("reason")), r.PostForm["incident"]
	switch {
	case len(chosen) == 0:
		return h.showIncidents(w, r, who, nil, "Choose at least one incident.", http.StatusUnprocessableEntity)
	case len(chosen) > maxChosen:
		return h.showIncidents(w, r, who, nil, fmt.Sprintf("Choose at most %d incidents at once.", maxChosen), http.StatusUnprocessableEntity)
	case reason == "":
		return h.showIncidents(w, r, who, nil, "Say why, for the audit.", http.StatusUnprocessableEntity)
	}
	var refused []refusal
	var at domain.Position
	good := 0
	for _, c := range chosen {
		name, err := h.settleOne(r, who, act, reason, r.PostForm.Get("output"), c, &at)
		if errors.Is(err, errNoPage) {
			return err
		}
		if err != nil {
			refused = append(refused, refusal{format.Clip(name, maxRefusal), format.Clip(err.Error(), maxRefusal)})
			continue
		}
		good++
	}
	h.cfg.Logger.Info("incidents settled", "act", act, "done", good, "refused", len(refused), "actor", who.Name)
	note := fmt.Sprintf("%s: %s done", act, format.Plural(good, "incident", "incidents"))
	if len(refused) > 0 {
		return h.showIncidents(w, r, who, refused, note+fmt.Sprintf(", %d refused.", len(refused)), http.StatusConflict)
	}
	q := r.URL.Query()
	q.Del("note")
	q.Set("seen", fmt.Sprint(uint64(at)))
	show.GoTo(w, r, h.cfg.Base+"/incidents?"+q.Encode(), note+".")
	return nil
}

// settleOne settles one incident, given as RUN STEP.
func (h *handler) settleOne(r *http.Request, who Person, act, reason, output, chosen string, at *domain.Position) (name string, err error) {
	run, step, _ := strings.Cut(chosen, " ")
	id, err := uuid.Parse(run)
	if err != nil {
		return chosen, errNoPage
	}
	t, err := h.tell(r.Context(), who, id)
	if err != nil {
		return chosen, err
	}
	name = t.look.View.Saga + " " + step
	if act != "retry" && act != "skip" && act != "substitute" && act != "abandon" && act != "cancel" {
		return name, errNoPage
	}
	err = h.pull(r, who, id, &leverPage{Act: act, Step: step, Reason: reason, Output: output})
	*at = max(*at, h.head(r, id))
	return name, err
}
