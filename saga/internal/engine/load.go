package engine

import (
	"context"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// unload forgets the state; the next turn folds it from the log again. Places stay held: the events
// that end their attempts give them back, or the next load.
func (a *actor) unload() { a.State, a.memo, a.clock = nil, nil, domain.Clock{} }

// load folds the run from its stream unless it is in memory.
func (a *actor) load(ctx context.Context) error {
	if a.State != nil {
		return nil
	}
	f, err := a.engine.cfg.Runs.Fold(ctx, a.id)
	if err != nil {
		return err
	}
	a.Folded = f
	a.def = a.engine.cfg.Registry.ForPlan(f.State.Plan)
	a.giveBackEnded()
	return nil
}

// giveBackEnded gives back the places of attempts that are no longer in flight, and cancels those
// that another coordinator gave up. An undo is not cancelled (docs/guarantees.md, rule 12).
func (a *actor) giveBackEnded() {
	if len(a.held) == 0 {
		return
	}
	flying := make(map[work.AttemptID]bool)
	a.State.InFlight(func(f machine.Attempt) {
		id := a.attempt(f.Step.Path, f.Direction, f.Number)
		flying[id] = true
		if f.Cancelled {
			a.engine.worker.Cancel(id, work.ErrRunTurnedBack)
		}
	})
	for id, s := range a.held {
		if !flying[id] {
			a.giveBackPlaceOf(id, s)
			if id.Direction == domain.Do {
				a.engine.worker.Cancel(id, errGivenUp)
			}
		}
	}
}

// wake says when the run next needs attention, and which coordinator has it.
func (a *actor) wake() domain.Wake {
	w := a.State.Wake()
	// A blocked run is for any coordinator that can go on with it.
	if a.engine.cfg.Shared && a.State.Blocked == "" {
		w.Node = a.engine.cfg.Incarnation
	}
	return w
}

// saveIfDue saves a snapshot of a long run.
func (a *actor) saveIfDue() {
	if !a.Due(a.engine.cfg.SnapshotEvery) {
		return
	}
	a.Since = 0
	life := a.engine.cfg.Life
	if err := a.engine.cfg.Runs.Save(life, &a.Folded); err != nil && life.Err() == nil {
		a.engine.cfg.Logger.Warn("snapshot not saved: the run takes longer to load", "run", a.id, "error", err)
	}
}
