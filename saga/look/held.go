package look

import (
	"context"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/history"
	"github.com/atonehq/atone/saga/machine"
)

// Runs is what [HeldAt] asks of a coordinator. The methods are called concurrently.
type Runs interface {
	explain.Surroundings
	Plan(ctx context.Context, hash string) (*domain.Plan, error)
	FoldAt(ctx context.Context, id domain.RunID, revision int64) (*machine.State, error)
}

// HeldAt says why an unfinished run of the plan waits, if it waits for one of the holds to be
// released; else the hold is nil. It reads the run only if its plan may try one of their actions,
// so lists ask it for the rows that they show. A run that can't be read is not held.
func HeldAt(ctx context.Context, c Runs, run domain.RunID, plan string, holds []explain.Hold, now time.Time) (explain.Reason, *explain.Hold) {
	if len(holds) == 0 {
		return explain.Reason{}, nil
	}
	p, err := c.Plan(ctx, plan)
	if err != nil || !slices.ContainsFunc(holds, func(h explain.Hold) bool { return p.MayTry(h.Action) }) {
		return explain.Reason{}, nil
	}
	s, err := c.FoldAt(ctx, run, history.Latest)
	if err != nil {
		return explain.Reason{}, nil
	}
	why := explain.WhyWith(s, now, c)
	if why.Standing != explain.Held { // as the run itself says: another branch of it goes on
		return why, nil
	}
	return why, HoldIn(&why)
}

// HoldIn returns the hold that the run waits for; nil for none.
func HoldIn(why *explain.Reason) *explain.Hold {
	for i := range why.Waits {
		if w := &why.Waits[i]; w.WaitsFor == explain.ForRelease && w.Hold != nil {
			return w.Hold
		}
	}
	return nil
}
