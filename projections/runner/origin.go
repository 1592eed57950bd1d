package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/internal/signal"
)

// origin checks that a view's rows were made from this log. They were not if somebody restored an
// older copy of the log, gave the views another log, or stored an impossible position. Without this
// check nobody would notice: after a position past its end, a log yields nothing and reports no
// error.
//
// The checkpoint has the number of events, the position of the last one, and the time at which the
// log accepted it. The log must have an event at that position with that time. This also detects a
// restored copy that has grown past the rows since. It needs no name for the log, which a copy
// would share.
type origin struct {
	mu      sync.Mutex
	checked bool
}

// doubt says what is wrong with a generation's position; empty if nothing is.
type doubt string

// undecided means that not all of the log can be read now: a node of its cluster may lag.
const undecided doubt = "undecided"

// check compares each generation of the view with the log. If a generation is not from this log,
// check marks it as old if it is live, and drops it otherwise. It reports whether it has to check
// again later. A doubt counts only if it was found twice.
func (k *keeper) check(ctx context.Context) (again bool, err error) {
	k.origin.mu.Lock()
	defer k.origin.mu.Unlock()
	gens, err := k.cfg.Store.Generations(ctx, k.view.Name)
	if err != nil {
		return false, fmt.Errorf("look at the state of %s: %w", k.view.Name, err)
	}
	for _, g := range gens {
		if g.Old {
			continue
		}
		d, err := k.examine(ctx, &g)
		if err == nil && d != "" && d != undecided {
			if err = signal.Pause(ctx, nil, k.cfg.Poll); err == nil {
				d, err = k.examine(ctx, &g)
			}
		}
		if err != nil {
			return false, fmt.Errorf("compare %s with the log: %w", k.view.Name, err)
		}
		if d == undecided {
			again = true
		} else if d != "" {
			if err := k.disown(ctx, &g, d); err != nil {
				return false, err
			}
		}
	}
	k.origin.checked = true
	return again, nil
}

// checkOnce has the view checked before its rows are first relied on.
func (k *keeper) checkOnce(ctx context.Context) error {
	k.origin.mu.Lock()
	checked := k.origin.checked
	k.origin.mu.Unlock()
	if checked {
		return nil
	}
	_, err := k.check(ctx)
	return err
}

// errDisowned ends a pass over a generation that turned out not to be this log's.
var errDisowned = errors.New("the rows do not belong to this log")

// recheck checks again, at growing intervals, while the result is undecided because a node of the
// log's cluster lags.
func (k *keeper) recheck(ctx context.Context) error {
	delays := backoff.ExponentialBackOff{InitialInterval: k.cfg.Poll, Multiplier: 2, MaxInterval: maxBackoff}
	delays.Reset()
	for {
		if err := signal.Pause(ctx, nil, delays.NextBackOff()); err != nil {
			return err
		}
		gens, err := k.cfg.Store.Generations(ctx, k.view.Name)
		if err != nil {
			return fmt.Errorf("look at the state of %s: %w", k.view.Name, err)
		}
		again := false
		for _, g := range gens {
			d, err := k.examine(ctx, &g)
			if err != nil {
				return fmt.Errorf("compare %s with the log: %w", k.view.Name, err)
			}
			if d == undecided {
				again = true
			} else if d != "" && !g.Old {
				return fmt.Errorf("%s: %w", d, errDisowned) // the next check says so
			}
		}
		if !again {
			return nil
		}
	}
}

// disown logs what is wrong and starts the replacement of the generation.
func (k *keeper) disown(ctx context.Context, g *projections.Generation, d doubt) error {
	k.cfg.Logger.Error("a view does not belong to this log: an older copy of the log was restored, or the views are another log's. "+
		"The view is being rebuilt; meanwhile queries get its old rows, marked as old. If the log is the wrong one, stop and restore the right one",
		"view", k.view.Name, "generation", g.Number, "found", string(d), "position", g.Position, "events", g.Events, "last_event", g.At)
	k.set(func() { k.notOurs = string(d) })
	if !g.Live {
		if err := k.cfg.Store.Drop(ctx, k.view, g.Number); err != nil {
			return fmt.Errorf("drop an unfinished generation of %s: %w", k.view.Name, err)
		}
		return nil
	}
	if err := k.cfg.Store.MarkOld(ctx, k.view, g.Number); err != nil {
		return fmt.Errorf("mark the rows of %s as old: %w", k.view.Name, err)
	}
	return nil
}

// examine compares a generation's checkpoint with the log.
func (k *keeper) examine(ctx context.Context, g *projections.Generation) (doubt, error) {
	if g.Position == 0 {
		return "", nil
	}
	if !g.Position.Possible() {
		return "the rows are at a position that no event can have", nil
	}
	newest, err := newestEvent(ctx, k.cfg.Source, domain.EndPosition, domain.Filter{})
	if err != nil {
		return "", err
	}
	readable := newest.Position
	end := readable
	if leader, ok := k.cfg.Source.(domain.LastPositioner); ok {
		if end, err = leader.LastPosition(ctx); err != nil {
			return "", fmt.Errorf("ask for the log's end: %w", err)
		}
	}
	if end < g.Position {
		return doubt(fmt.Sprintf("the log ends at position %d", end)), nil
	}
	last, err := k.lastUpTo(ctx, g.Position, readable)
	switch {
	case errors.Is(err, domain.ErrBadPosition) && readable >= g.Position:
		return "the log has no event at the position of the rows", nil
	case errors.Is(err, domain.ErrBadPosition):
		return undecided, nil
	case err != nil:
		return "", err
	case g.Events == 0 && last.Position == 0, g.Events > 0 && last.Position > 0 && last.Created.Equal(g.At):
		return "", nil
	case readable < g.Position:
		return undecided, nil
	case last.Position == 0:
		return "the log has none of the events that the rows were made from", nil
	}
	return doubt(fmt.Sprintf("the last event up to there is at position %d, of %s", last.Position, last.Created.Format(time.RFC3339Nano))), nil
}

// lastUpTo returns the last event for the view at or before the position; its Position is 0 if
// there is none. readable is how far the log can be read, which may be less.
func (k *keeper) lastUpTo(ctx context.Context, position, readable domain.Position) (domain.Recorded, error) {
	if readable < position {
		return newestEvent(ctx, k.cfg.Source, domain.EndPosition, k.view.Selects())
	}
	before, err := newestEvent(ctx, k.cfg.Source, position, k.view.Selects())
	if err != nil {
		return before, err
	}
	for r, err := range k.cfg.Source.ReadAll(ctx, before.Position, k.view.Selects()) {
		if err != nil {
			return domain.Recorded{}, err
		}
		if r.Position <= position {
			return r, nil
		}
		break
	}
	return before, nil
}

// newestEvent returns the last selected event before the position; its Position is 0 if there is
// none.
func newestEvent(ctx context.Context, source projections.Source, before domain.Position, filter domain.Filter) (domain.Recorded, error) {
	for r, err := range source.ReadAllBackward(ctx, before, filter) {
		return r, err
	}
	return domain.Recorded{}, nil
}
