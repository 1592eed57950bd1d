package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/atonehq/atone/domain"
)

// Runs returns the view of runs: one row for each, as it stands. Ask it with [Reader.Runs].
//
// The columns that queries filter and sort by stand beside the whole row as JSON. What runs
// are found by besides (labels, actions) is in a second table, in the order of starts, for all runs and for each saga's:
// two things that are common, but rarely together, are not to be searched one through the other.
func Runs() View {
	return View{
		Name: "runs", Version: 3,
		Tables: []Table{{
			Name: "runs",
			Columns: []Column{
				{Name: "no", Type: Int, Fixed: true},
				{Name: "run", Type: Bytes, Fixed: true},
				{Name: "saga", Type: Text, Fixed: true},
				{Name: "version", Type: Int, Fixed: true},
				{Name: "state", Type: Text},
				{Name: "started", Type: Int, Fixed: true},
				{Name: "ended", Type: Int, Sparse: true},
				{Name: "wake", Type: Int, Sparse: true},
				{Name: "key", Type: Text, Fixed: true, Sparse: true},
				{Name: "parent", Type: Bytes, Fixed: true, Sparse: true},
				{Name: "words", Type: Text},
				{Name: "doc", Type: Text},
			},
			Key:     []string{"no"},
			Indexes: [][]string{{"run"}, {"started"}, {"state", "started"}, {"saga", "started"}, {"saga", "state", "started"}, {"version", "started"}, {"ended"}, {"wake"}, {"key"}, {"parent", "started"}},
			Words:   "words",
		}, {
			Name: "tags",
			Columns: []Column{
				{Name: "tag", Type: Text, Fixed: true},
				{Name: "started", Type: Int, Fixed: true},
				{Name: "no", Type: Int, Fixed: true},
			},
			Key: []string{"tag", "started", "no"},
		}},
		New: func() Applier { return &runsApplier{runs: make(map[domain.RunID]*Run)} },
	}
}

// runDoc is the place of the whole row in a row of the runs table.
const runDoc = 11

// keptRuns is how many unfinished runs the applier keeps in memory.
const keptRuns = 20_000

// runsApplier folds a batch in memory and puts each changed row once.
type runsApplier struct {
	runs map[domain.RunID]*Run // as the last transaction left them
}

// Apply implements [Applier].
func (a *runsApplier) Apply(ctx context.Context, tx Tx, events []Event) error {
	if len(a.runs) > keptRuns {
		clear(a.runs)
	}
	var changed []*Run
	touched := make(map[domain.RunID]bool, len(events)/4+1)
	var tags []Row
	for i := range events {
		e := &events[i]
		if e.Of == nil || e.Event == nil {
			continue // no run's, or one that can't be told
		}
		r, err := a.run(ctx, tx, e)
		if err != nil {
			return err
		}
		if !touched[e.Run] {
			touched[e.Run] = true
			changed = append(changed, r)
		}
		actions := len(r.Actions)
		r.fold(e)
		for _, action := range r.Actions[actions:] {
			tags = r.tag(tags, actionTag(action))
		}
		if _, ok := e.Event.(*domain.RunStarted); ok {
			for name, value := range r.Labels {
				tags = r.tag(tags, labelTag(name, value))
			}
		}
	}
	rows := make([]Row, len(changed))
	for i, r := range changed {
		row, err := r.row()
		if err != nil {
			return err
		}
		rows[i] = row
		if r.State.Ended() {
			delete(a.runs, r.ID)
		}
	}
	if err := tx.Put(ctx, "runs", rows...); err != nil {
		return err
	}
	return tx.Put(ctx, "tags", tags...)
}

// run returns the row before the event: from memory, from the table, or a new one.
func (a *runsApplier) run(ctx context.Context, tx Tx, e *Event) (*Run, error) {
	r := a.runs[e.Run]
	if r != nil {
		return r, nil
	}
	if e.Recorded.Revision > 0 {
		rows, err := tx.Select(ctx, Query{Table: "runs", Where: []Cond{Eq("run", e.Run)}, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			if r, err = runOf(rows[0]); err != nil {
				return nil, err
			}
		}
	}
	if r == nil {
		r = newRun(e)
	}
	a.runs[e.Run] = r
	return r, nil
}

func (r *Run) row() (Row, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write run %s: %w", r.ID, err)
	}
	row := Row{int64(r.No), r.ID, r.Saga, r.Version, string(r.State), r.Started, r.Ended, r.Wake, optional(r.Key), nil, nil, string(doc)}
	if r.Parent != nil {
		row[9] = r.Parent.Run
	}
	if r.Error != "" || r.Cause != nil || r.Blocked != "" {
		cause := ""
		if r.Cause != nil {
			cause = r.Cause.Message
		}
		row[10] = optional(Words(cause, r.Error, r.Blocked))
	}
	return row, nil
}

// optional is nil for an empty text.
func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func runOf(row Row) (*Run, error) {
	var r Run
	doc, _ := row[runDoc].(string)
	if err := json.Unmarshal([]byte(doc), &r); err != nil {
		return nil, fmt.Errorf("read a row of the runs view: %w", err)
	}
	return &r, nil
}

// tag adds the rows by which the run is found: by the tag, and by the tag among the runs of its saga.
func (r *Run) tag(rows []Row, tag string) []Row {
	return append(rows, Row{tag, r.Started, int64(r.No)}, Row{sagaTag(r.Saga, tag), r.Started, int64(r.No)})
}

// labelTag tells how long the name is: names and values may have any letters.
func labelTag(name, value string) string {
	return "l" + strconv.Itoa(len(name)) + ":" + name + "=" + value
}

func actionTag(action string) string { return "a:" + action }

// sagaTag is unlike any other: the name of a saga has no colon.
func sagaTag(saga, tag string) string { return saga + "/" + tag }
