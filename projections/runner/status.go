package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/atonehq/atone/projections"
)

// Status is the state of a view.
type Status struct {
	View    string
	Version int
	// Live answers the queries; nil until the view was first built.
	Live *projections.Generation
	// Building is a rebuild under way; nil when there is none.
	Building *projections.Generation
	// Leading means that this process projects the view. Otherwise another process does, or none.
	Leading bool
	// LagEvents is how many events the live rows are behind. If there are no live rows, or they are
	// old, it is about the rows being built.
	LagEvents int64
	// LagMore means that they are further behind than LagEvents: one call counts at most 10,000
	// events; the next one continues.
	LagMore bool
	// Lag is the age of the oldest event that they lack; 0 if they lack none.
	Lag time.Duration
	// NotOurs says why this process thinks that the rows were not made from this log. Such rows are
	// rebuilt. Empty if nothing was wrong.
	NotOurs string
	// Err is why the view stands still, or nil.
	Err error
}

// Status returns the state of each view, in the order of Config.Views. It reads a little of the
// log.
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
		g = &projections.Generation{}
	}
	return s, k.lag.measure(ctx, k, g, &s)
}
