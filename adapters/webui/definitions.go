package webui

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/atonehq/atone/adapters/webui/internal/draw"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/saga"
)

// sagasPage lists the definitions.
type sagasPage struct {
	Sagas   []sagaRow
	Actions []saga.ActionInfo
}

type sagaRow struct {
	saga.SagaInfo
	Versions []int
	Steps    int
}

// sagas lists the registered sagas and actions.
func (h *handler) sagas(w http.ResponseWriter, r *http.Request, who Person) error {
	d := &sagasPage{}
	for _, s := range h.cfg.Coordinator.Sagas() {
		if !who.sees(s.Name) {
			continue
		}
		if n := len(d.Sagas); n > 0 && d.Sagas[n-1].Name == s.Name {
			d.Sagas[n-1].Versions = append(d.Sagas[n-1].Versions, s.Version)
			continue
		}
		row := sagaRow{SagaInfo: s, Versions: []int{s.Version}}
		s.Plan.Root.Walk(func(n *domain.Node) {
			if n.Kind != domain.KindSequence {
				row.Steps++
			}
		})
		d.Sagas = append(d.Sagas, row)
	}
	for _, a := range h.cfg.Coordinator.Actions() {
		if len(who.Sagas) == 0 || who.seesAny(a.Sagas) || who.sees(a.Name) {
			d.Actions = append(d.Actions, a)
		}
	}
	v := h.view(r, who, "sagas", "Definitions")
	v.Refresh = 0
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "sagas", v)
	return nil
}

// sagaPage shows a version of a saga.
type sagaPage struct {
	saga.SagaInfo
	Versions []int
	Graph    *draw.Graph
	Mermaid  string
	JSON     json.RawMessage
	Specs    []*domain.ActionSpec
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
	d.Graph, d.Mermaid = draw.Plan(d.Plan, nil), diagram.Mermaid(d.Plan)
	b, err := json.Marshal(d.Plan)
	if err != nil {
		return err
	}
	d.JSON = b
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
