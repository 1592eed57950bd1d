package runs

import (
	"context"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
)

// Blocker is the run, below another one, that is stuck, and the step that it is stuck at.
type Blocker struct {
	Run       domain.RunID     `json:"run" doc:"The stuck run."`
	Saga      string           `json:"saga" doc:"Its saga."`
	Key       string           `json:"key,omitempty" doc:"The key that it was started with."`
	Step      string           `json:"step" doc:"The step that it is stuck at."`
	Direction domain.Direction `json:"direction,omitempty" doc:"undo where the undo of the step is stuck."`
	Error     string           `json:"error,omitempty" doc:"The latest failure of the step."`
	// More counts the other runs next below that are stuck, or have a stuck one below them.
	More int `json:"more,omitempty" doc:"How many other child runs are stuck, or have a stuck run below them."`
}

const (
	// maxLevels bounds how far below a run is looked.
	maxLevels = 16
	// maxAsked bounds how many runs a query is about.
	maxAsked = 1000
)

// LookBelow finds for each row that has stuck runs below it the one that is to be settled first, as
// [Row.Blocker]. It asks find once for each level of child runs, for runs of the sagas only, if any
// are given; where none is found the rows stay as they are.
func LookBelow(ctx context.Context, rows []Row, sagas []string, find func(context.Context, Filter) (Page, error)) error {
	above := map[domain.RunID]*Row{} // by run of the level: the row that it is below
	var level []*Row
	for i := range rows {
		if r := &rows[i]; r.Below > 0 && r.State != domain.RunIsStuck && !r.State.Ended() {
			above[r.ID], level = r, append(level, r)
		}
	}
	for range maxLevels {
		var ids []domain.RunID
		next := map[domain.RunID]*Row{}
		for _, r := range level {
			for _, id := range r.children() {
				if len(ids) < maxAsked {
					ids, next[id] = append(ids, id), above[r.ID]
				}
			}
		}
		if len(ids) == 0 {
			return nil
		}
		page, err := find(ctx, Filter{IDs: ids, Sagas: sagas, States: []domain.RunState{domain.RunIsStuck, StateStuckBelow}, Ascending: true, Limit: maxAsked})
		if err != nil {
			return err
		}
		above, level = next, nil
		for i := range page.Rows {
			r := &page.Rows[i]
			top := above[r.ID]
			switch {
			case top == nil || top.Blocker != nil:
			case r.State == domain.RunIsStuck:
				top.Blocker = r.blocks(top.Below - 1)
			default:
				level = append(level, r)
			}
		}
	}
	return nil
}

// children are the runs that the run's steps wait for.
func (r *Row) children() (ids []domain.RunID) {
	for i := range r.Steps {
		if s := &r.Steps[i]; s.WaitsFor == explain.ForChild {
			if id, err := uuid.Parse(s.What); err == nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// blocks describes a stuck run as what blocks another.
func (r *Row) blocks(more int) *Blocker {
	b := &Blocker{Run: r.ID, Saga: r.Saga, Key: r.Key, Error: r.Error, More: more}
	for i := range r.Steps {
		if s := &r.Steps[i]; s.WaitsFor == explain.ForPerson {
			b.Step, b.Direction, b.Error = s.Step, s.Direction, s.Error
			break
		}
	}
	return b
}

// tell says what is stuck below.
func (b *Blocker) tell() string {
	name := b.Key
	if name == "" {
		id := b.Run.String()
		name = id[len(id)-12:]
	}
	step := b.Step
	if b.Direction == domain.Undo {
		step = "undo of " + step
	}
	text := "stuck below: " + b.Saga + " " + name
	if step != "" {
		text += " at " + step
	}
	if b.Error != "" {
		text += ": " + b.Error
	}
	return text
}
