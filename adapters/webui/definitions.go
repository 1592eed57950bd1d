package webui

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/draw"
	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/domain/shape"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
	"github.com/atonehq/atone/saga/explain"
)

// sagasPage lists the definitions.
type sagasPage struct {
	Holds   []explain.Hold
	Sagas   []sagaRow
	Actions []actionRow
	// Empty stands in the place of the sagas where there are none.
	Empty *empty.Page
}

type sagaRow struct {
	saga.SagaInfo
	Versions []int
	Steps    int
	Explored evidence.Standing
	// Takes and Returns are the fields of the saga's input and output.
	Takes, Returns *shape.Field
}

// actionRow is an action with the fields of its input and output.
type actionRow struct {
	saga.ActionInfo
	Held           bool
	Takes, Returns *shape.Field
}

// sagas lists the registered sagas and actions.
func (h *handler) sagas(w http.ResponseWriter, r *http.Request, who Person) error {
	d := &sagasPage{Holds: h.holdsSeen(who)}
	for _, s := range h.cfg.Coordinator.Sagas() {
		if !who.sees(s.Name) {
			continue
		}
		if n := len(d.Sagas); n > 0 && d.Sagas[n-1].Name == s.Name {
			d.Sagas[n-1].Versions = append(d.Sagas[n-1].Versions, s.Version)
			continue
		}
		row := sagaRow{SagaInfo: s, Versions: []int{s.Version}, Takes: fieldsOf(s.InputSchema), Returns: fieldsOf(s.OutputSchema)}
		var err error
		if row.Explored, err = h.cfg.Evidence.Standing(r.Context(), s.Name, s.Version, s.Hash); err != nil {
			return err
		}
		s.Plan.Root.Walk(func(n *domain.Node) {
			if n.Kind != domain.KindSequence {
				row.Steps++
			}
		})
		d.Sagas = append(d.Sagas, row)
	}
	for _, a := range h.cfg.Coordinator.Actions() {
		if len(who.Sagas) == 0 || who.seesAny(a.Sagas) || who.sees(a.Name) {
			held := slices.ContainsFunc(d.Holds, func(x explain.Hold) bool { return x.Action == a.Name })
			d.Actions = append(d.Actions, actionRow{a, held, fieldsOf(a.InputSchema), fieldsOf(a.OutputSchema)})
		}
	}
	if len(d.Sagas) == 0 {
		d.Empty = h.program(r, who).Definitions("See the domain events", "/events")
	}
	v := h.view(r, who, "sagas", "Definitions")
	v.Refresh = 0
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "sagas", v)
	return nil
}

// signalRow is a signal that a saga awaits.
type signalRow struct {
	Name  string
	Takes *shape.Field
}

// sagaPage shows a version of a saga.
type sagaPage struct {
	Takes, Returns *shape.Field
	Signals        []signalRow
	saga.SagaInfo
	Versions []int
	Graph    *draw.Graph
	Mermaid  string
	JSON     json.RawMessage
	Specs    []*domain.ActionSpec
	Explored evidence.Standing
}

// saga shows the plan of a saga.
func (h *handler) saga(w http.ResponseWriter, r *http.Request, who Person) error {
	name := r.PathValue("saga")
	version, _ := strconv.Atoi(r.URL.Query().Get("version")) // 0, the latest, for anything else
	d := &sagaPage{}
	for _, s := range h.cfg.Coordinator.Sagas() {
		if s.Name != name {
			continue
		}
		d.Versions = append(d.Versions, s.Version)
		if s.Version == version || version == 0 && s.Latest {
			d.SagaInfo = s
		}
	}
	if d.Plan == nil || !who.sees(name) {
		return errNoPage
	}
	d.Takes, d.Returns = fieldsOf(d.InputSchema), fieldsOf(d.OutputSchema)
	for _, name := range slices.Sorted(maps.Keys(d.SagaInfo.Signals)) {
		d.Signals = append(d.Signals, signalRow{name, fieldsOf(d.SagaInfo.Signals[name])})
	}
	d.Graph, d.Mermaid = draw.Plan(d.Plan, nil), diagram.Mermaid(d.Plan)
	var err error
	if d.Explored, err = h.cfg.Evidence.Standing(r.Context(), name, d.Version, d.Hash); err != nil {
		return err
	}
	if d.JSON, err = json.Marshal(d.Plan); err != nil {
		return err
	}
	seen := map[string]bool{}
	d.Plan.Root.Walk(func(n *domain.Node) {
		for a := n.Action; a != nil; a = a.OnFailure {
			if !seen[a.Name] {
				seen[a.Name] = true
				d.Specs = append(d.Specs, a)
			}
		}
	})
	v := h.view(r, who, "sagas", name)
	v.Refresh = 0
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "saga", v)
	return nil
}

// holdPage is the form that holds an action, or releases it.
type holdPage struct {
	Action string
	// Held is the hold to release; nil means that the action is to be held.
	Held   *explain.Hold
	Undos  bool
	Reason string
	Back   string
	// Error says why nothing was done, Off why the person may not do it.
	Error, Off string
}

// holdsSeen lists the holds of the actions that the person sees.
func (h *handler) holdsSeen(who Person) []explain.Hold {
	return slices.DeleteFunc(h.cfg.Coordinator.Holds(), func(x explain.Hold) bool { return !h.seesAction(who, x.Action) })
}

// seesAction reports whether the person sees a saga that has the action.
func (h *handler) seesAction(who Person, action string) bool {
	return len(who.Sagas) == 0 || who.sees(action) || slices.ContainsFunc(h.cfg.Coordinator.Actions(), func(a saga.ActionInfo) bool {
		return a.Name == action && who.seesAny(a.Sagas)
	})
}

// readHold reads what the form is about. What the person may not see is not found.
func (h *handler) readHold(r *http.Request, who Person) (*holdPage, error) {
	d := &holdPage{Action: r.PathValue("action"), Back: h.backTo(r)}
	known := slices.ContainsFunc(h.cfg.Coordinator.Actions(), func(a saga.ActionInfo) bool { return a.Name == d.Action })
	for _, x := range h.cfg.Coordinator.Holds() {
		if x.Action == d.Action {
			d.Held, known = &x, true
		}
	}
	if !known || !h.seesAction(who, d.Action) {
		return nil, errNoPage
	}
	switch {
	case !who.Operate:
		d.Off = noOperate
	case len(who.Sagas) > 0:
		d.Off = "Your token is bound to some sagas, and a hold concerns all: ask somebody whose token is not."
	}
	return d, nil
}

// holdForm shows the form.
func (h *handler) holdForm(w http.ResponseWriter, r *http.Request, who Person) error {
	d, err := h.readHold(r, who)
	if err != nil {
		return err
	}
	h.showHold(w, r, who, d, http.StatusOK)
	return nil
}

func (h *handler) showHold(w http.ResponseWriter, r *http.Request, who Person, d *holdPage, status int) {
	title := "Hold " + d.Action
	if d.Held != nil {
		title = "Release " + d.Action
	}
	v := h.view(r, who, "sagas", title)
	v.Refresh = 0
	v.D = d
	h.templates.Render(w, r, status, "hold", v)
}

// hold holds an action, or releases it, as the form says.
func (h *handler) hold(w http.ResponseWriter, r *http.Request, who Person) error {
	d, err := h.readHold(r, who)
	if err != nil {
		return err
	}
	d.Reason, d.Undos = strings.TrimSpace(r.PostForm.Get("reason")), r.PostForm.Has("undos")
	ctx := saga.WithActor(r.Context(), who.Name)
	note := d.Action + " is held: no attempt of it starts until it is released."
	switch {
	case d.Off != "":
		err = fmt.Errorf("%w: %s", errDenied, d.Off)
	case d.Reason == "":
		err = fmt.Errorf("%w: say why, its runs show it", errBadForm)
	case r.PostForm.Get("do") == "release":
		note = d.Action + " is released: its runs go on."
		_, err = h.cfg.Coordinator.Release(ctx, d.Action, d.Reason)
	default:
		_, err = h.cfg.Coordinator.Hold(ctx, saga.HoldRequest{Action: d.Action, Undos: d.Undos, Reason: d.Reason})
	}
	if err != nil {
		status := statusOf(err)
		if status == http.StatusInternalServerError {
			return err
		}
		d.Error = "Nothing was done: " + err.Error()
		h.showHold(w, r, who, d, status)
		return nil
	}
	h.cfg.Logger.Info("action held or released", "action", d.Action, "do", r.PostForm.Get("do"), "actor", who.Name)
	show.GoTo(w, r, d.Back, note)
	return nil
}
