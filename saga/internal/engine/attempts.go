package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

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

// hungTold is how long after its attempt was given up a handler that goes on is reported.
const hungTold = 5 * time.Second

// giveBackPlaceOf gives back the place of an attempt that has an outcome: at once, or when its
// handler returns. Concurrency bounds handlers, so a handler that ignores its context keeps its
// place.
func (a *actor) giveBackPlaceOf(id work.AttemptID, p *work.Places) {
	delete(a.held, id)
	e := a.engine
	if !e.worker.WhenReturned(id, func() { p.GiveBackOf(id) }) {
		p.GiveBackOf(id)
		return
	}
	p.GaveUp(id, e.cfg.Clock.Now())
	saga, version := a.State.Start.Saga, a.State.Start.Version
	told := e.cfg.Clock.Steady().Add(hungTold)
	e.cfg.Go(func(ctx context.Context) {
		if e.cfg.Clock.Wait(ctx, told) != nil {
			return
		}
		if at := p.Hanging(id); at != nil {
			e.tellHung(p.Action(), saga, version, at)
		}
	})
}

// tellHung reports a handler that ignores its context, in the log and as an alert.
func (e *Engine) tellHung(action, saga string, version int, p *explain.Place) {
	text := fmt.Sprintf("a handler of action %s has not returned though its attempt was given up: it keeps its place, and steps may wait for it; have it heed its context, or restart this process", action)
	e.cfg.Logger.Error("handler ignores its context and keeps its place", "action", action, "run", p.Run, "step", p.Step, "direction", p.Direction, "attempt", p.Attempt, "since", p.Since)
	e.cfg.Tell(domain.Alert{ID: fmt.Sprintf("%s/%s/%s/%d/hung", p.Run, p.Step, p.Direction, p.Attempt), Kind: domain.AlertHung, Run: p.Run, Saga: saga, Version: version, Step: p.Step, At: p.GivenUp,
		Cause: &domain.Failure{Kind: domain.FailureTimedOut, Step: p.Step, Message: text}})
}

// giveBackAttempts gives back the places of an abandoned run's attempts and cancels its dos. Undos
// end by themselves (docs/guarantees.md, rule 12), and failure handlers go on.
func (a *actor) giveBackAttempts() {
	for id, s := range a.held {
		if id.Direction == domain.Handler {
			continue
		}
		if id.Direction == domain.Do {
			a.engine.worker.Cancel(id, work.ErrRunTurnedBack)
		}
		a.giveBackPlaceOf(id, s)
	}
}

// giveBackAttempt gives back the place of an attempt that has an outcome.
func (a *actor) giveBackAttempt(step string, dir domain.Direction, n int) {
	id := a.attempt(step, dir, n)
	if s := a.held[id]; s != nil {
		a.giveBackPlaceOf(id, s)
	}
}

// dispatch sends an attempt to its worker, unless its outcome is known already.
func (a *actor) dispatch(e *domain.AttemptStarted) {
	st := a.State.Step(e.Step)
	if st == nil {
		return
	}
	t := work.NewTask(a.State, e)
	t.Known = a.memo.Known(st.Input) // spares a handler in this process the decoding
	if !e.Due.IsZero() {
		t.End = e.Due.Add(-a.stepped) // a clock that was set does not move the end of an attempt
	}
	a.engine.send(t)
}

// stopCancelled cancels an attempt whose outcome will be undone.
func (a *actor) stopCancelled(f machine.Attempt) {
	if f.Cancelled {
		a.engine.worker.Cancel(a.attempt(f.Step.Path, f.Direction, f.Number), work.ErrRunTurnedBack)
	}
}
