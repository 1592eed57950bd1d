package held

import (
	"context"
	"time"

	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/look"
)

// Coordinator is what [Waiting] asks of a coordinator.
type Coordinator interface {
	look.Runs
	Holds() []explain.Hold
	QueueDepths() map[string]saga.QueueDepth
}

// most is how many unfinished runs are looked at, the oldest first.
const most = 10_000

// Waiting counts, by action, the runs that wait for the release of a held one. A coordinator that
// goes on with all runs knows. One that works only on its caller's runs, alone, does not: then the
// unfinished runs that find has are read.
func Waiting(ctx context.Context, c Coordinator, alone bool, now time.Time, find func(context.Context, runs.Filter) (runs.Page, error)) (map[string]int, error) {
	counts := make(map[string]int)
	if !alone {
		for action, depth := range c.QueueDepths() {
			counts[action] = depth.Held
		}
		return counts, nil
	}
	holds := c.Holds()
	if len(holds) == 0 {
		return counts, nil
	}
	f := runs.Filter{States: runs.Unfinished, Ascending: true, Limit: 1000}
	for seen := 0; seen < most; {
		page, err := find(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page.Rows {
			count(ctx, c, &page.Rows[i], holds, now, counts)
		}
		if seen, f.Cursor = seen+len(page.Rows), page.Next; f.Cursor == "" {
			break
		}
	}
	return counts, nil
}

// count counts the run once for each action whose release it waits for.
func count(ctx context.Context, c look.Runs, run *runs.Row, holds []explain.Hold, now time.Time, counts map[string]int) {
	why, _ := look.HeldAt(ctx, c, run.ID, run.Plan, holds, now)
	of := make(map[string]bool)
	for i := range why.Waits {
		if w := &why.Waits[i]; w.WaitsFor == explain.ForRelease && w.Hold != nil && !of[w.Hold.Action] {
			of[w.Hold.Action] = true
			counts[w.Hold.Action]++
		}
	}
}
