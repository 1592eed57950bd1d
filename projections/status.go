package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// Status is how a view fares.
type Status struct {
	View    string
	Version int
	// Live answers the queries; nil until the view was first built.
	Live *Generation
	// Building is a rebuild under way; nil when there is none.
	Building *Generation
	// Leading means that this process projects the view; otherwise another one does, or none.
	Leading bool
	// LagEvents is how many events the live rows (or, where there are none or old ones, those being built) lack.
	LagEvents int64
	// LagMore means that they lack more than LagEvents: one call counts at most 10,000 events, and
	// the next one goes on from there.
	LagMore bool
	// Lag is the age of the oldest of these; 0 when there are none.
	Lag time.Duration
	// NotOurs is what this process found to be wrong with rows that were not this log's: they are being
	// rebuilt, or were. Empty where nothing was wrong.
	NotOurs string
	// Err is why the view stands still, or nil.
	Err error
}

// Status tells how each view fares, in the order of Config.Views. It reads a little of the log.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	out := make([]Status, 0, len(r.keepers))
	for _, k := range r.keepers {
		s, err := k.status(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (k *keeper) status(ctx context.Context) (Status, error) {
	s := Status{View: k.view.Name, Version: k.view.Version}
	k.mu.Lock()
	s.Leading, s.Err, s.NotOurs = k.leading, k.err, k.notOurs
	k.mu.Unlock()
	gens, err := k.cfg.Store.Generations(ctx, k.view.Name)
	if err != nil {
		return s, fmt.Errorf("status of %s: %w", k.view.Name, err)
	}
	for i := range gens {
		if gens[i].Live {
			s.Live = &gens[i]
		} else {
			s.Building = &gens[i]
		}
	}
	g := s.Live
	if g == nil || g.Old {
		g = s.Building
	}
	if g == nil {
		g = &Generation{}
	}
	return s, k.lag.measure(ctx, k, g, &s)
}

// atLeast waits for a view's live rows to reach a position. The keeper, where there is one, is hurried.
func atLeast(ctx context.Context, store Store, view string, position domain.Position, timeout time.Duration, k *keeper) error {
	timed, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if k != nil {
		defer k.pace.hurry()()
		if err := k.checkOnce(timed); err != nil && timed.Err() == nil {
			return err
		}
	}
	for {
		var moved <-chan struct{}
		if k != nil {
			moved = k.moved()
			tell(k.hurried)
		}
		gens, err := store.Generations(timed, view)
		if err != nil && timed.Err() == nil {
			return fmt.Errorf("position of %s: %w", view, err)
		}
		var at domain.Position
		for _, g := range gens {
			if g.Live && !g.Old {
				at = g.Position
			}
		}
		if at >= position && err == nil {
			return nil
		}
		if pause(timed, moved, poll) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s stands at position %d, not yet at %d, after %v: %w", view, at, position, timeout, ErrBehind)
		}
	}
}
