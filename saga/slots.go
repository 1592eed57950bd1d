package saga

import (
	"context"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// makeSlots makes the places of every registered action.
func (c *Coordinator) makeSlots() {
	for name, code := range c.registry.Actions() {
		c.slots[name] = work.NewPlaces(code, c.cfg.ActionConcurrency, c.nudge)
	}
}

// nudge has a run take its turn, for which a place is reserved.
func (c *Coordinator) nudge(p *work.Places, run domain.RunID) {
	c.goBackground(func(ctx context.Context) {
		if err := c.submit(ctx, run, nil); err != nil && ctx.Err() == nil {
			c.logger.Warn("run could not take its turn", "run", run, "error", err)
		}
		p.ReturnUnused(run)
	})
}

// attempt names one of the run's attempts.
func (a *actor) attempt(step string, dir domain.Direction, n int) work.AttemptID {
	return work.AttemptID{Run: a.id, Step: step, Direction: dir, Number: n}
}

// hold notes that an attempt has a place.
func (a *actor) hold(id work.AttemptID, p *work.Places, now time.Time) {
	if a.held == nil {
		a.held = make(map[work.AttemptID]*work.Places, 4)
	}
	a.held[id] = p
	p.Hold(id, now)
}

// hungTold is after how long a handler that goes on though its attempt was given up is told of.
const hungTold = 5 * time.Second

// freePlace gives back the place of an attempt that has an outcome: at once, or when its handler
// returns. Concurrency is a promise about handlers, so one that ignores its context keeps its place.
func (a *actor) freePlace(id work.AttemptID, p *work.Places) {
	delete(a.held, id)
	c := a.c
	if !c.worker.WhenReturned(id, func() { p.Free(id) }) {
		p.Free(id)
		return
	}
	p.GaveUp(id, c.clock.Now())
	saga, version := a.state.Start.Saga, a.state.Start.Version
	c.goBackground(func(ctx context.Context) {
		select {
		case <-time.After(hungTold):
			if at := p.Hanging(id); at != nil {
				c.tellHung(p.Action(), saga, version, at)
			}
		case <-ctx.Done():
		}
	})
}

// tellHung tells people of a handler that ignores its context.
func (c *Coordinator) tellHung(action, saga string, version int, p *machine.Place) {
	text := fmt.Sprintf("a handler of action %s has not returned though its attempt was given up: it keeps its place, and steps may wait for it; have it heed its context, or restart this process", action)
	c.logger.Error("handler ignores its context and keeps its place", "action", action, "run", p.Run, "step", p.Step, "direction", p.Direction, "attempt", p.Attempt, "since", p.Since)
	c.notify(Alert{ID: fmt.Sprintf("%s/%s/%s/%d/hung", p.Run, p.Step, p.Direction, p.Attempt), Kind: AlertHung, Run: p.Run, Saga: saga, Version: version, Step: p.Step, At: p.GivenUp,
		Cause: &domain.Failure{Kind: domain.FailureTimedOut, Step: p.Step, Message: text}})
}

// PlaceOf returns the attempt that has had a place of the action for longest, one that hangs before
// all others, or nil if a place is free.
func (c *Coordinator) PlaceOf(action string) *machine.Place {
	select {
	case <-c.ready: // the places are made
	default:
		return nil
	}
	if p := c.slots[action]; p != nil {
		return p.Oldest()
	}
	return nil
}
