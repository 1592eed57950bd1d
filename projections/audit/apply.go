package audit

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/story"
)

func apply(ctx context.Context, tx projections.Tx, events []projections.Event) error {
	rows := make([]projections.Row, 0, len(events))
	for i := range events {
		e := &events[i]
		if _, beat := e.Event.(*domain.AttemptHeartbeat); beat || e.Run == (domain.RunID{}) {
			continue
		}
		rows = append(rows, encode(e))
	}
	return tx.Put(ctx, "audit", rows...)
}

// encode returns the row of the table for an event of a run.
func encode(e *projections.Event) projections.Row {
	act := story.Describe(&e.Fact)
	row := projections.Row{
		columnPos: int64(e.Position), columnRun: e.Run, columnRevision: int64(e.Recorded.Revision), columnAt: e.When(),
		columnWhat: act.What, columnStep: projections.TextOrNil(act.Step), columnDirection: projections.TextOrNil(string(act.Direction)),
		columnAction: projections.TextOrNil(cmp.Or(e.Action, act.Action)), columnActor: projections.TextOrNil(e.Meta.Actor),
		columnNote: projections.TextOrNil(act.Note), columnFailed: nil,
	}
	if act.Attempt > 0 {
		row[columnAttempt] = int64(act.Attempt)
	}
	var words []string
	fail := func(message string) {
		row[columnError], row[columnFailed] = message, e.When()
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
