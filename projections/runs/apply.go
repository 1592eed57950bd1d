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
	runs  map[domain.RunID]*state // as the last transaction left them
	batch []*state                // those that the batch has changed
	next  int64                   // the n of the next new run; -1 until the table was asked
}

func newApplier() projections.Applier {
	return &applier{runs: make(map[domain.RunID]*state), next: -1}
}

// Apply implements [projections.Applier].
func (a *applier) Apply(ctx context.Context, tx projections.Tx, events []projections.Event) error {
	if len(a.runs) > keptRuns {
		clear(a.runs)
	}
	a.batch = a.batch[:0]
	if a.next < 0 {
		var err error
		if a.next, err = projections.NextNumber(ctx, tx, "runs", "n"); err != nil {
			return err
		}
	}
	for i := range events {
		e := &events[i]
		if e.Run == (domain.RunID{}) || e.Event == nil && !domain.ReservedType(e.Recorded.Type) {
			continue // not a run's event
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
	return tx.Put(ctx, "runs", rows...)
}

// fold folds one event into the state of its run.
func (a *applier) fold(ctx context.Context, tx projections.Tx, e *projections.Event) error {
	s, err := a.state(ctx, tx, e)
	if err != nil {
		return err
	}
	before := s.below()
	a.touch(s)
	s.fold(e)
	return a.tellParents(ctx, tx, s, before)
}

// touch notes that the batch changes the state.
func (a *applier) touch(s *state) {
	if !s.changed {
		s.changed = true
		a.batch = append(a.batch, s)
	}
}

// tellParents corrects, from parent to parent, how many runs are stuck below, where that has
// changed with a run.
func (a *applier) tellParents(ctx context.Context, tx projections.Tx, s *state, before bool) error {
	for s.Parent != nil && s.below() != before {
		parent := a.runs[s.Parent.Run]
		if parent == nil {
			parent = &state{}
			known, err := a.load(ctx, tx, parent, s.Parent.Run)
			if err != nil || !known {
				return err
			}
			a.runs[parent.ID] = parent
		}
		change := -1
		if !before {
			change = 1
		}
		before = parent.below()
		a.touch(parent)
		parent.Below = max(0, parent.Below+change)
		s = parent
	}
	return nil
}

// load reads a run's state from the table. It reports whether it is there.
func (a *applier) load(ctx context.Context, tx projections.Tx, s *state, id domain.RunID) (known bool, err error) {
	rows, err := tx.Select(ctx, projections.Query{Table: "runs", Where: []projections.Cond{projections.Eq("run", id)}, Limit: 1})
	if err != nil || len(rows) == 0 {
		return false, err
	}
	s.n = rows[0].Int(columnN)
	s.Row, err = decode(rows[0])
	return true, err
}

// state returns the run's state before the event: from memory, from the table, or new.
func (a *applier) state(ctx context.Context, tx projections.Tx, e *projections.Event) (*state, error) {
	if s := a.runs[e.Run]; s != nil {
		return s, nil
	}
	s := &state{}
	a.runs[e.Run] = s
	if e.Recorded.Revision > 0 {
		if known, err := a.load(ctx, tx, s, e.Run); known || err != nil {
			return s, err
		}
	}
	s.n = a.next
	a.next++
	s.begin(e)
	return s, nil
}
