package engine

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/atonehq/atone/domain"
)

// Wait returns the run's output as JSON when it has completed; see [Run.Wait] for the errors.
func (e *Engine) Wait(ctx context.Context, id domain.RunID) (json.RawMessage, error) {
	if err := e.cfg.Ready(ctx); err != nil {
		return nil, err
	}
	ch := make(chan *ending, 1)
	for {
		a := e.runs.lock(e, id)
		a.waiters = append(a.waiters, ch)
		idle := !a.busy
		known := idle && a.State != nil // only whoever works on the run may read its state
		if idle && known {
			a.tellWaiters()
			e.runs.rest(a)
		}
		a.mu.Unlock()
		if idle && !known {
			if err := e.do(ctx, id, new(request)); err != nil { // loads the run, which tells ch
				a.forget(ch)
				return nil, err
			}
		}
		select {
		case e := <-ch:
			if e == nil {
				continue
			}
			return bytes.Clone(e.output), e.err
		case <-ctx.Done():
			a.forget(ch)
			return nil, ctx.Err()
		case <-e.cfg.Life.Done():
			return nil, domain.ErrNotRunning
		}
	}
}

// forget drops a waiter that gave up.
func (a *actor) forget(ch chan *ending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, w := range a.waiters {
		if w == ch {
			a.waiters = append(a.waiters[:i], a.waiters[i+1:]...)
			break
		}
	}
	if !a.busy && !a.gone {
		a.engine.runs.rest(a)
	}
}
