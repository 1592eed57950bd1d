package incidents

import (
	"context"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// How an incident ended other than by a [domain.Resolution].
const (
	Retried    = "retried"     // the step got new attempts
	Abandoned  = "abandoned"   // the run was closed with effects left
	TurnedBack = "turned back" // the run turned back, so that the step need not succeed
	Settled    = "settled"     // something else let the run go on: a late outcome
)

// applier keeps the open incidents in memory.
type applier struct {
	open map[domain.RunID][]projections.Row
}

// Apply implements [projections.Applier].
func (a *applier) Apply(ctx context.Context, tx projections.Tx, events []projections.Event) error {
	if a.open == nil {
		rows, err := tx.Select(ctx, projections.Query{Table: "incidents", Where: []projections.Cond{projections.Eq("open", 1)}, Order: []string{"no"}})
		if err != nil {
			return err
		}
		a.open = make(map[domain.RunID][]projections.Row)
		for _, r := range rows {
			run := r.Run(columnRun)
			a.open[run] = append(a.open[run], r)
		}
	}
	var changed []projections.Row
	for i := range events {
		e := &events[i]
		if d, ok := e.Event.(*domain.RunStuck); ok && e.Of != nil {
			row := encode(e, d)
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

// encode returns the row of the table for an incident that the event opens.
func encode(e *projections.Event, d *domain.RunStuck) projections.Row {
	return projections.Row{
		columnNo: int64(e.Position), columnIncident: d.Incident, columnRun: e.Run, columnSaga: e.Of.Saga, columnStep: d.Step,
		columnDirection: string(d.Direction), columnAction: projections.TextOrNil(e.Action), columnAttempt: e.Number,
		columnKind: string(d.Cause.Kind), columnCause: d.Cause.Message, columnOpened: e.When(), columnOpen: int64(1),
		columnWords: projections.TextOrNil(projections.Words(d.Cause.Message, d.Step)),
	}
}

// resolve returns those of the run's open incidents that the event ends, ended.
func (a *applier) resolve(e *projections.Event) (ended []projections.Row) {
	var keep []projections.Row
	for _, row := range a.open[e.Run] {
		how, reason := ends(e, row.Text(columnStep), domain.Direction(row.Text(columnDirection)))
		if how == "" {
			keep = append(keep, row)
			continue
		}
		row[columnOpen], row[columnResolved] = nil, e.When()
		row[columnBy], row[columnHow], row[columnReason] = projections.TextOrNil(e.Meta.Actor), how, projections.TextOrNil(reason)
		ended = append(ended, row)
	}
	if a.open[e.Run] = keep; len(keep) == 0 {
		delete(a.open, e.Run)
	}
	return ended
}

// ends returns how the event ends an incident at the step, or "".
func ends(e *projections.Event, step string, dir domain.Direction) (how, reason string) {
	switch d := e.Event.(type) {
	case *domain.StepRetried:
		if d.Step == step && d.Direction == dir {
			return Retried, d.Reason
		}
	case *domain.StepResolved:
		if d.Step == step && d.Direction == dir {
			return string(d.How), d.Reason
		}
	case *domain.RunAbandoned:
		return Abandoned, d.Reason
	case *domain.RunTurnedBack:
		if dir != domain.Undo {
			return TurnedBack, d.Cause.Message
		}
	}
	if s := e.Meta.Wake.State; s != "" && s != domain.RunIsStuck {
		return Settled, ""
	}
	return "", ""
}
