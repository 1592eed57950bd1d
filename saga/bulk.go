package saga

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/bulk"
)

// A bulk operation as data, which the HTTP API and the command line share.
type (
	// BulkAct is what a bulk operation does to each run.
	BulkAct = domain.BulkAct
	// BulkFilter selects unfinished runs; all conditions that are set must hold.
	BulkFilter = domain.BulkFilter
	// BulkRequest says what to do to which runs.
	BulkRequest = domain.BulkRequest
	// BulkResult tells what became of one run.
	BulkResult = domain.BulkResult
	// BulkReport is what a bulk operation did; see [Coordinator.UnreadableRuns] for what it left out.
	BulkReport = domain.BulkReport
)

// The bulk operations.
const (
	BulkCancel     = domain.BulkCancel
	BulkPause      = domain.BulkPause
	BulkResume     = domain.BulkResume
	BulkRetry      = domain.BulkRetry
	BulkSkip       = domain.BulkSkip
	BulkSubstitute = domain.BulkSubstitute
	BulkAbandon    = domain.BulkAbandon
)

// Bulk does one thing to every unfinished run that the filter selects, each on its own: a run that
// refuses does not keep the others from it. It ends early with ctx; what is done is done, and calling
// again goes on with the rest. Errors: [ErrBadInput], [ErrNotRunning], and ctx's.
func (c *Coordinator) Bulk(ctx context.Context, req BulkRequest) (BulkReport, error) {
	if err := req.Validate(); err != nil {
		return BulkReport{}, err
	}
	if err := c.awaitReady(ctx); err != nil {
		return BulkReport{}, err
	}
	return bulk.Do(ctx, &bulk.Runs{Now: c.clock.Now, Unfinished: c.unfinishedRuns, Started: c.firstEvent, StuckAt: c.stuckAt,
		Unreadable: c.isUnreadable, Act: c.bulkAct}, &req)
}

// bulkAct does the act to one run, or to one step of it.
func (c *Coordinator) bulkAct(ctx context.Context, run domain.RunID, step string, req *BulkRequest) error {
	switch req.Act {
	case BulkCancel:
		return c.Cancel(ctx, run, req.Reason)
	case BulkPause:
		return c.Pause(ctx, run, req.Reason)
	case BulkResume:
		return c.Resume(ctx, run, req.Reason)
	case BulkAbandon:
		return c.Abandon(ctx, run, req.Reason)
	case BulkRetry:
		return c.Retry(ctx, run, step, req.Reason)
	case BulkSkip:
		return c.Skip(ctx, run, step, req.Reason)
	case BulkSubstitute:
		return c.Substitute(ctx, run, step, req.Output, req.Reason)
	}
	return fmt.Errorf("%w: no such act: %q", ErrBadInput, req.Act)
}

// stuckAt returns the paths of the steps of the action that the run is stuck at.
func (c *Coordinator) stuckAt(ctx context.Context, run domain.RunID, action string) (steps []string, err error) {
	look := c.Describe
	if c.cfg.OnDemand { // describing a run there takes it up
		look = func(ctx context.Context, id domain.RunID) (RunView, error) { return c.StateAt(ctx, id, Latest) }
	}
	v, err := look(ctx, run)
	if err != nil {
		return nil, err
	}
	for _, st := range v.Steps {
		if st.Incident != "" && st.Action == action {
			steps = append(steps, st.Path)
		}
	}
	return steps, nil
}

// unfinishedRuns returns the state of every unfinished run. A coordinator on demand has taken up
// none, so it reads them from the log.
func (c *Coordinator) unfinishedRuns(ctx context.Context) (map[domain.RunID]domain.RunState, error) {
	if !c.cfg.OnDemand {
		return c.wakeups.States(), nil
	}
	list, err := c.recovery.Scan(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[domain.RunID]domain.RunState, list.Len())
	list.Each(func(run domain.RunID, w domain.Wake) { out[run] = cmp.Or(w.State, domain.RunRunning) })
	return out, nil
}

// firstEvent reads how, and when, a run was started.
func (c *Coordinator) firstEvent(ctx context.Context, id domain.RunID) (*domain.RunStarted, time.Time, error) {
	for r, err := range c.log.ReadStream(ctx, domain.RunStream(id), 0) {
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read run %s: %w", id, err)
		}
		fact, err := domain.DecodeFact(&r)
		if err != nil {
			return nil, time.Time{}, unreadable(id, err)
		}
		started, ok := fact.Event.(*domain.RunStarted)
		if !ok {
			return nil, time.Time{}, unreadable(id, fmt.Errorf("%s begins with %s: it is not a run", r.Stream, r.Type))
		}
		return started, fact.Meta.At, nil
	}
	return nil, time.Time{}, fmt.Errorf("%s: %w", id, ErrNotFound)
}

// SagaOf returns the name of the saga, or single action, that the run is of. Errors: [ErrNotFound].
func (c *Coordinator) SagaOf(ctx context.Context, id domain.RunID) (string, error) {
	started, _, err := c.firstEvent(ctx, id)
	if err != nil {
		return "", err
	}
	return started.Saga, nil
}

// RunStates counts the unfinished runs by state.
func (c *Coordinator) RunStates() map[domain.RunState]int {
	out := make(map[domain.RunState]int)
	for _, s := range c.wakeups.States() {
		out[s]++
	}
	return out
}
