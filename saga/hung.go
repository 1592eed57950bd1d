package saga

import (
	"context"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// handling is a handler that was called and has not returned.
type handling struct {
	cancel context.CancelCauseFunc
	// then is called when it has; nil for nothing to do.
	then func()
}

// whenReturned has f called when an attempt's handler returns, and reports false, without a call, if it does not run here.
func (w *Worker) whenReturned(id attemptID, f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.running[id]
	if h == nil {
		return false
	}
	h.then = f
	return true
}

// returned notes that an attempt's handler has returned.
func (w *Worker) returned(id attemptID) {
	w.mu.Lock()
	h := w.running[id]
	delete(w.running, id)
	w.mu.Unlock()
	if h != nil && h.then != nil {
		h.then()
	}
}

// holder is an attempt that has a place of its action.
type holder struct {
	since time.Time
	// gaveUp is when the attempt was given up, whose handler has not returned.
	gaveUp time.Time
}

// hold notes that an attempt has a place.
func (a *actor) hold(id attemptID, s *slot, now time.Time) {
	if a.held == nil {
		a.held = make(map[attemptID]*slot, 4)
	}
	a.held[id] = s
	s.mu.Lock()
	s.holders[id] = holder{since: now}
	s.mu.Unlock()
}

// hungTold is after how long a handler that goes on though its attempt was given up is told of.
const hungTold = 5 * time.Second

// freePlace gives back the place of an attempt that has an outcome: at once, or when its handler returns. Concurrency
// is a promise about handlers, so one that ignores its context keeps its place.
func (a *actor) freePlace(id attemptID, s *slot) {
	delete(a.held, id)
	c := a.c
	if !c.worker.whenReturned(id, func() { s.free(id) }) {
		s.free(id)
		return
	}
	s.gaveUp(id, c.clock.Now())
	saga, version := a.state.Start.Saga, a.state.Start.Version
	c.goBackground(func(ctx context.Context) {
		select {
		case <-time.After(hungTold):
			if p := s.hangs(id); p != nil {
				c.tellHung(s.action, saga, version, p)
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

// gaveUp notes that an attempt was given up whose handler goes on, unless that has returned by now.
func (s *slot) gaveUp(id attemptID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.holders[id]; ok {
		h.gaveUp = now
		s.holders[id] = h
	}
}

// free gives an attempt's place back.
func (s *slot) free(id attemptID) {
	s.mu.Lock()
	delete(s.holders, id)
	s.mu.Unlock()
	s.release()
}

// hangs returns the attempt if its handler goes on though it was given up, else nil.
func (s *slot) hangs(id attemptID) *machine.Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.holders[id]
	if !ok || h.gaveUp.IsZero() {
		return nil
	}
	return h.place(id)
}

func (h holder) place(id attemptID) *machine.Place {
	return &machine.Place{Run: id.run, Step: id.step, Direction: id.dir, Attempt: id.n, Since: h.since, GivenUp: h.gaveUp}
}

// hung counts the places whose attempts were given up. Callers hold mu.
func (s *slot) hung() (n int) {
	for _, h := range s.holders {
		if !h.gaveUp.IsZero() {
			n++
		}
	}
	return n
}

// PlaceOf returns the attempt that has had a place of the action for longest, those that hang first, or nil if a place
// is free.
func (c *Coordinator) PlaceOf(action string) *machine.Place {
	select {
	case <-c.ready: // the slots are made
	default:
		return nil
	}
	s := c.slots[action]
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used < s.limit {
		return nil
	}
	var first *machine.Place
	for id, h := range s.holders {
		p := h.place(id)
		if first == nil || first.GivenUp.IsZero() != p.GivenUp.IsZero() && !p.GivenUp.IsZero() ||
			first.GivenUp.IsZero() == p.GivenUp.IsZero() && p.Since.Before(first.Since) {
			first = p
		}
	}
	return first
}
