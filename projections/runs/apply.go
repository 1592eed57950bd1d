package runs

import (
	"context"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// keptRuns is how many unfinished runs the applier keeps in memory.
const keptRuns = 20_000

// applier folds a batch in memory and puts each changed row once.
type applier struct {
	runs    map[domain.RunID]*state // as the last transaction left them
	batch   []*state                // those that the batch has changed
	newTags []projections.Row
}

func newApplier() projections.Applier { return &applier{runs: make(map[domain.RunID]*state)} }

// Apply implements [projections.Applier].
func (a *applier) Apply(ctx context.Context, tx projections.Tx, events []projections.Event) error {
	if len(a.runs) > keptRuns {
		clear(a.runs)
	}
	a.batch, a.newTags = a.batch[:0], a.newTags[:0]
	for i := range events {
		e := &events[i]
		if e.Of == nil || e.Event == nil {
			continue // not of a run, or not readable
		}
		if err := a.fold(ctx, tx, e); err != nil {
			return err
		}
	}
	rows := make([]projections.Row, len(a.batch))
	for i, s := range a.batch {
		row, err := s.encode()
		if err != nil {
			return err
		}
		rows[i] = row
		s.changed = false
		if s.State.Ended() {
			delete(a.runs, s.ID)
		}
	}
	if err := tx.Put(ctx, "runs", rows...); err != nil {
		return err
	}
	return tx.Put(ctx, "tags", a.newTags...)
}

// fold folds one event into the state of its run.
func (a *applier) fold(ctx context.Context, tx projections.Tx, e *projections.Event) error {
	s, err := a.state(ctx, tx, e)
	if err != nil {
		return err
	}
	if !s.changed {
		s.changed = true
		a.batch = append(a.batch, s)
	}
	actions := len(s.Actions)
	s.fold(e)
	for _, action := range s.Actions[actions:] {
		a.newTags = s.tag(a.newTags, actionTag(action))
	}
	if _, ok := e.Event.(*domain.RunStarted); ok {
		for name, value := range s.Labels {
			a.newTags = s.tag(a.newTags, labelTag(name, value))
		}
	}
	return nil
}

// state returns the run before the event: from memory, from the table, or a new one.
func (a *applier) state(ctx context.Context, tx projections.Tx, e *projections.Event) (*state, error) {
	if s := a.runs[e.Run]; s != nil {
		return s, nil
	}
	s := &state{}
	a.runs[e.Run] = s
	if e.Recorded.Revision > 0 {
		rows, err := tx.Select(ctx, projections.Query{Table: "runs", Where: []projections.Cond{projections.Eq("run", e.Run)}, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			s.Row, err = decode(rows[0])
			return s, err
		}
	}
	s.begin(e)
	return s, nil
}
