package projections

import (
	"context"

	"github.com/atonehq/atone/domain"
)

// Incidents returns the view of incidents, open and resolved. Ask it with [Reader.Incidents].
//
// An incident ends with the retry or resolution of its step, with the end of its run, or with
// the append after which the run is stuck no more.
func Incidents() View {
	return View{
		Name: "incidents", Version: 2,
		Tables: []Table{{
			Name: "incidents",
			Columns: []Column{
				{Name: "no", Type: Int, Fixed: true},
				{Name: "incident", Type: Text, Fixed: true},
				{Name: "run", Type: Bytes, Fixed: true},
				{Name: "saga", Type: Text, Fixed: true},
				{Name: "step", Type: Text, Fixed: true},
				{Name: "direction", Type: Text, Fixed: true},
				{Name: "action", Type: Text, Fixed: true, Sparse: true},
				{Name: "attempt", Type: Int, Fixed: true},
				{Name: "kind", Type: Text, Fixed: true},
				{Name: "cause", Type: Text, Fixed: true},
				{Name: "opened", Type: Int, Fixed: true},
				{Name: "open", Type: Int, Sparse: true}, // 1 while it is open, else nil
				{Name: "resolved", Type: Int, Sparse: true},
				{Name: "by", Type: Text},
				{Name: "how", Type: Text},
				{Name: "reason", Type: Text},
				{Name: "words", Type: Text, Fixed: true},
			},
			Key:     []string{"no"},
			Indexes: [][]string{{"incident"}, {"run"}, {"open", "opened"}, {"opened"}, {"saga", "opened"}, {"action", "opened"}},
			Words:   "words",
		}},
		New: func() Applier { return &incidentsApplier{} },
	}
}

// The columns of an incident that change.
const (
	incidentOpen = iota + 11
	incidentResolved
	incidentBy
	incidentHow
	incidentReason
)

// How an incident ended other than by a [domain.Resolution].
const (
	IncidentRetried   = "retried"     // the step got new attempts
	IncidentAbandoned = "abandoned"   // the run was closed with effects left
	IncidentTurned    = "turned back" // the run turned back, so that the step need not succeed
	IncidentSettled   = "settled"     // something else let the run go on: a late outcome
)

// incidentsApplier keeps the open incidents in memory.
type incidentsApplier struct {
	open map[domain.RunID][]Row
}

// Apply implements [Applier].
func (a *incidentsApplier) Apply(ctx context.Context, tx Tx, events []Event) error {
	if a.open == nil {
		rows, err := tx.Select(ctx, Query{Table: "incidents", Where: []Cond{Eq("open", 1)}, Order: []string{"no"}})
		if err != nil {
			return err
		}
		a.open = make(map[domain.RunID][]Row)
		for _, r := range rows {
			a.open[runID(r[2])] = append(a.open[runID(r[2])], r)
		}
	}
	var changed []Row
	for i := range events {
		e := &events[i]
		if d, ok := e.Event.(*domain.RunStuck); ok && e.Of != nil {
			row := incidentRow(e, d)
			a.open[e.Run] = append(a.open[e.Run], row)
			changed = append(changed, row)
			continue
		}
		if len(a.open[e.Run]) > 0 {
			changed = append(changed, a.resolve(e)...)
		}
	}
	return tx.Put(ctx, "incidents", changed...)
}

func incidentRow(e *Event, d *domain.RunStuck) Row {
	return Row{int64(e.Position), d.Incident, e.Run, e.Of.Saga, d.Step, string(d.Direction), optional(e.Action), e.Number,
		string(d.Cause.Kind), d.Cause.Message, e.at(), int64(1), nil, nil, nil, nil, optional(Words(d.Cause.Message, d.Step))}
}

// resolve ends those of the run's open incidents that the event ends, and returns them.
func (a *incidentsApplier) resolve(e *Event) (ended []Row) {
	var keep []Row
	for _, row := range a.open[e.Run] {
		how, reason := ends(e, text(row[4]), domain.Direction(text(row[5])))
		if how == "" {
			keep = append(keep, row)
			continue
		}
		row[incidentOpen], row[incidentResolved] = nil, e.at()
		row[incidentBy], row[incidentHow], row[incidentReason] = optional(e.Meta.Actor), how, optional(reason)
		ended = append(ended, row)
	}
	if a.open[e.Run] = keep; len(keep) == 0 {
		delete(a.open, e.Run)
	}
	return ended
}

// ends says how the event ends an incident at the step, or "".
func ends(e *Event, step string, dir domain.Direction) (how, reason string) {
	switch d := e.Event.(type) {
	case *domain.StepRetried:
		if d.Step == step && d.Direction == dir {
			return IncidentRetried, d.Reason
		}
	case *domain.StepResolved:
		if d.Step == step && d.Direction == dir {
			return string(d.How), d.Reason
		}
	case *domain.RunAbandoned:
		return IncidentAbandoned, d.Reason
	case *domain.RunTurnedBack:
		if dir != domain.Undo {
			return IncidentTurned, d.Cause.Message
		}
	}
	if s := e.Meta.Wake.State; s != "" && s != domain.RunIsStuck {
		return IncidentSettled, ""
	}
	return "", ""
}
