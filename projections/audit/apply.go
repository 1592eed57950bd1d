package audit

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/story"
)

// applier numbers the rows.
type applier struct {
	next    int64 // the number of the next row
	counted bool
}

// Apply implements [projections.Applier].
func (a *applier) Apply(ctx context.Context, tx projections.Tx, events []projections.Event) (err error) {
	if !a.counted {
		if a.next, err = projections.NextNumber(ctx, tx, "audit", "n"); err != nil {
			return err
		}
		a.counted = true
	}
	rows := make([]projections.Row, 0, len(events))
	for i := range events {
		e := &events[i]
		if _, beat := e.Event.(*domain.AttemptHeartbeat); beat || e.Run == (domain.RunID{}) {
			continue
		}
		rows = append(rows, encode(a.next, e))
		a.next++
	}
	return tx.Put(ctx, "audit", rows...)
}

// encode returns the row of the table for an event of a run.
func encode(n int64, e *projections.Event) projections.Row {
	act := story.Describe(&e.Fact)
	row := projections.Row{
		columnN: n, columnPos: int64(e.Position), columnRun: e.Run, columnRevision: int64(e.Recorded.Revision), columnAt: e.When(),
		columnWhat: act.What, columnStep: projections.TextOrNil(act.Step), columnDirection: projections.TextOrNil(string(act.Direction)),
		columnAction: projections.TextOrNil(cmp.Or(e.Action, act.Action)), columnActor: projections.TextOrNil(e.Meta.Actor),
		columnNote: projections.TextOrNil(act.Note), columnFailed: nil, columnEvent: nil,
	}
	switch d := e.Event.(type) {
	case *domain.RunStarted:
		if d.Trigger != nil {
			row[columnEvent] = projections.TextOrNil(d.Trigger.Event)
		}
	case *domain.AwaitMet:
		if _, err := uuid.Parse(d.By); err == nil {
			row[columnEvent] = d.By
		}
	}
	if act.Attempt > 0 {
		row[columnAttempt] = int64(act.Attempt)
	}
	var words []string
	fail := func(message string) {
		row[columnError], row[columnFailed] = message, int64(1)
		words = append(words, message)
	}
	switch {
	case e.Err != nil:
		row[columnWhat] = e.Type
		fail(e.Err.Error())
	case act.Cause != nil:
		fail(act.Cause.Message)
	}
	if e.Of != nil {
		row[columnSaga] = e.Of.Saga
		if len(e.Of.Searchable) > 0 {
			for _, p := range []json.RawMessage{act.Input, act.Output} {
				words = append(words, e.Of.Searchable.Texts(p, e.Of.Secret)...)
			}
		}
	}
	if len(words) > 0 {
		row[columnWords] = projections.TextOrNil(projections.Words(words...))
	}
	return row
}
