package saga

import (
	"context"

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
	// BulkResult says what happened to one run.
	BulkResult = domain.BulkResult
	// BulkUndo adds up what cancels of runs would undo; ActionUndos counts those of one action.
	BulkUndo    = domain.BulkUndo
	ActionUndos = domain.ActionUndos
	// BulkReport is what a bulk operation did; see [Coordinator.UnreadableRuns] for what it left
	// out.
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
// refuses does not stop the others. If ctx ends it returns early; call it again to go on with the
// rest. Errors: [ErrBadInput], [ErrNotRunning], and ctx's.
func (c *Coordinator) Bulk(ctx context.Context, req BulkRequest) (BulkReport, error) {
	if err := req.Validate(); err != nil {
		return BulkReport{}, err
	}
	if err := c.awaitReady(ctx); err != nil {
		return BulkReport{}, err
	}
	return bulk.Do(ctx, &bulk.Runs{Now: c.clock.Now, Unfinished: c.unfinishedRuns, Started: c.runs.First, Describe: c.describe, Why: c.Why,
		Unreadable: c.engine.IsUnreadable, Act: bulk.Pull(c), Preview: c.PreviewCancel,
		Wait: func(ctx context.Context, run domain.RunID) error { _, err := c.Wait(ctx, run); return err }}, &req)
}

// unfinishedRuns returns the state of every unfinished run. A coordinator on demand has taken up no
// runs, so it reads them from the log.
func (c *Coordinator) unfinishedRuns(ctx context.Context) (map[domain.RunID]domain.RunState, error) {
	if !c.cfg.OnDemand {
		return c.wakeups.States(), nil
	}
	return c.recovery.States(ctx)
}

// SagaOf returns the name of the run's saga, or of its single action. Errors: [ErrNotFound].
func (c *Coordinator) SagaOf(ctx context.Context, id domain.RunID) (string, error) {
	started, _, err := c.runs.First(ctx, id)
	if err != nil {
		return "", err
	}
	return started.Saga, nil
}

// RunStates counts the unfinished runs by state.
func (c *Coordinator) RunStates() map[domain.RunState]int { return c.wakeups.Counts() }
