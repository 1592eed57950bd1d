package projections

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Audit returns the view of acts and outcomes: one row for each event of a run, save
// heartbeats. Ask it with [Reader.Audit]. It holds no payloads: what one run got and gave is told by
// [TellStory], from its stream.
func Audit() View {
	return View{
		Name: "audit", Version: 3,
		Tables: []Table{{
			Name: "audit",
			Columns: []Column{
				{Name: "pos", Type: Int, Fixed: true},
				{Name: "run", Type: Bytes, Fixed: true},
				{Name: "revision", Type: Int, Fixed: true},
				{Name: "at", Type: Int, Fixed: true},
				{Name: "saga", Type: Text, Fixed: true},
				{Name: "what", Type: Text, Fixed: true},
				{Name: "step", Type: Text, Fixed: true},
				{Name: "direction", Type: Text, Fixed: true},
				{Name: "attempt", Type: Int, Fixed: true},
				{Name: "action", Type: Text, Fixed: true, Sparse: true},
				{Name: "actor", Type: Text, Fixed: true},
				{Name: "error", Type: Text, Fixed: true},
				{Name: "note", Type: Text, Fixed: true},
				{Name: "words", Type: Text, Fixed: true},
				{Name: "failed", Type: Int, Fixed: true, Sparse: true}, // when, for rows with an error
			},
			Key:     []string{"pos"},
			Indexes: [][]string{{"run"}, {"at"}, {"action", "at"}, {"failed"}},
			Words:   "words",
		}},
		New: func() Applier { return ApplyFunc(applyAudit) },
	}
}

func applyAudit(ctx context.Context, tx Tx, events []Event) error {
	rows := make([]Row, 0, len(events))
	for i := range events {
		e := &events[i]
		if _, beat := e.Event.(*domain.AttemptHeartbeat); beat || e.Run == (domain.RunID{}) {
			continue
		}
		rows = append(rows, auditRow(e))
	}
	return tx.Put(ctx, "audit", rows...)
}

func auditRow(e *Event) Row {
	a := describe(&e.Fact)
	row := Row{int64(e.Position), e.Run, int64(e.Recorded.Revision), e.at(), nil, a.what, optional(a.step), optional(string(a.direction)),
		nil, optional(orElse(e.Action, a.action)), optional(e.Meta.Actor), nil, optional(a.note), nil, nil}
	if a.attempt > 0 {
		row[8] = int64(a.attempt)
	}
	var words []string
	switch {
	case e.Err != nil:
		row[5], row[11] = e.Type, e.Err.Error()
		words = append(words, e.Err.Error())
	case a.cause != nil:
		row[11] = a.cause.Message
		words = append(words, a.cause.Message)
	}
	if row[11] != nil {
		row[14] = e.at()
	}
	if e.Of != nil {
		row[4] = e.Of.Saga
		if len(e.Of.Searchable) > 0 {
			for _, p := range []json.RawMessage{a.input, a.output} {
				words = append(words, e.Of.Searchable.Texts(p, e.Of.Secret)...)
			}
		}
	}
	if len(words) > 0 {
		row[13] = optional(Words(words...))
	}
	return row
}

// whats holds what an event is called in the audit: its wire name without the version.
var whats = func() map[string]string {
	m := make(map[string]string)
	for _, name := range domain.WireNames() {
		m[name] = name[:strings.LastIndex(name, ".v")]
	}
	return m
}()
