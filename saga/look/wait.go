package look

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
)

// askBelow is how often a wait asks whether a run below is stuck.
const askBelow = 250 * time.Millisecond

// WaitOption adjusts a wait for a run. The zero value sets nothing.
type WaitOption struct{ below bool }

// OrStuckBelow ends a wait, too, when a run below the run is stuck.
func OrStuckBelow() WaitOption { return WaitOption{below: true} }

// Wait waits for a run's end or, if an option says so, until a run below it is stuck: that is a
// [*domain.StuckError], which names the run below. Such a run gets stuck without an event of the
// run above, so why is asked again and again. ctx ends both functions.
func Wait(ctx context.Context, id domain.RunID, end func(context.Context, domain.RunID) (json.RawMessage, error),
	why func(context.Context, domain.RunID) (explain.Reason, error), opts ...WaitOption) (json.RawMessage, error) {
	if !slices.ContainsFunc(opts, func(o WaitOption) bool { return o.below }) {
		return end(ctx, id)
	}
	type ending struct {
		output json.RawMessage
		err    error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan ending, 1)
	go func() {
		output, err := end(ctx, id)
		ended <- ending{output, err}
	}()
	tick := time.NewTicker(askBelow)
	defer tick.Stop()
	for {
		if r, err := why(ctx, id); err == nil { // else the wait itself says what is wrong
			if stuck := stuckBelow(&r); stuck != nil {
				stop()
				if e := <-ended; !errors.Is(e.err, context.Canceled) {
					return e.output, e.err // the run ended meanwhile
				}
				return nil, stuck
			}
		}
		select {
		case e := <-ended:
			return e.output, e.err
		case <-tick.C:
		}
	}
}

// stuckBelow returns the error for the stuck run at the end of the chain, nil where there is none.
func stuckBelow(r *explain.Reason) error {
	if len(r.Chain) == 0 || r.Chain[len(r.Chain)-1].Standing != explain.Stuck {
		return nil
	}
	l := &r.Chain[len(r.Chain)-1]
	stuck := &domain.StuckError{Run: l.Run, Step: l.Step}
	if l.Wait != nil {
		stuck.Incident, stuck.Cause = l.Wait.Incident, l.Wait.Cause
	}
	return stuck
}
