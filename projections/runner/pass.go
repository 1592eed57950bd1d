package runner

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/follow"
)

// pass projects into one generation. It returns nil when a generation that was not live has become
// live.
func (k *keeper) pass(ctx context.Context, g projections.Generation) error {
	f := k.hub.Follow(follow.Config{Filter: k.view.Selects(), Wants: k.view.Wants, Batch: k.cfg.Batch, Linger: k.cfg.Linger, Live: g.Live, Hurried: k.hurried})
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	reading.Go(func() { f.Run(ctx, g.Position) })
	defer reading.Wait()
	defer cancel()

	applier := k.view.New()
	at := g.Checkpoint
	caughtUp, held := false, false
	for {
		b, err := f.Take(ctx, caughtUp)
		if err != nil {
			return err
		}
		to := at
		to.Position = max(at.Position, b.To)
		if to.Events += int64(b.Seen); b.Seen > 0 {
			to.At = b.At
		}
		if to.Position > at.Position {
			if err := k.update(ctx, applier, g, at, to, b.Events); err != nil {
				return fmt.Errorf("apply %d events after position %d to %s: %w", len(b.Events), at.Position, k.view.Name, err)
			}
			at = to
			k.committed.Add(1)
		}
		caughtUp = caughtUp || b.CaughtUp
		if caughtUp && !g.Live {
			if !held { // from here on the live rows wait; otherwise they might stay ahead for ever
				k.swap.Lock()
				defer k.swap.Unlock()
				held = true
			}
			placed, err := k.promote(ctx, g.Number, at.Position)
			if err != nil {
				return fmt.Errorf("put the rebuilt %s in place: %w", k.view.Name, err)
			}
			if placed {
				k.set(func() { k.err = nil })
				return nil
			}
		}
		k.set(func() { k.caughtUp, k.err = caughtUp || !g.Live && k.caughtUp, nil })
	}
}

// update applies one batch.
func (k *keeper) update(ctx context.Context, a projections.Applier, g projections.Generation, from, to projections.Checkpoint, events []projections.Event) error {
	write := func() error {
		return k.cfg.Store.Update(ctx, k.view, g.Number, from, to, func(tx projections.Tx) error { return apply(ctx, a, tx, events) })
	}
	if !g.Live {
		return write()
	}
	k.swap.Lock()
	defer k.swap.Unlock()
	began := time.Now()
	if err := write(); err != nil {
		return err
	}
	k.hub.Spent(time.Since(began))
	return nil
}

// promote makes a generation that has reached the position the live one, unless the live one is
// further ahead: a later query must see everything that an earlier one saw. It does not wait for a
// live generation that is not from this log or is ahead of the log.
func (k *keeper) promote(ctx context.Context, number int, at domain.Position) (placed bool, err error) {
	gens, err := k.cfg.Store.Generations(ctx, k.view.Name)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(gens, func(g projections.Generation) bool { return g.Live && !g.Old && g.Position > at }) {
		for _, err := range k.cfg.Source.ReadAll(ctx, at, k.view.Selects()) {
			return false, err // there is more to apply
		}
	}
	return true, k.cfg.Store.Promote(ctx, k.view, number)
}

// apply calls the applier; a panic in a view is an error of that view.
func apply(ctx context.Context, a projections.Applier, tx projections.Tx, events []projections.Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the view panicked: %v\n%s", p, debug.Stack())
		}
	}()
	if len(events) == 0 {
		return nil
	}
	return a.Apply(ctx, tx, events)
}
