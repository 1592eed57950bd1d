package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
)

// bulkVerbs are the levers behind the bulk operations.
var bulkVerbs = map[saga.BulkAct]verb{saga.BulkCancel: verbCancel, saga.BulkPause: verbPause, saga.BulkResume: verbResume, saga.BulkRetry: verbRetry,
	saga.BulkSkip: verbSkip, saga.BulkSubstitute: verbSubstitute, saga.BulkAbandon: verbAbandon}

// Bulk does what [saga.Coordinator.Bulk] does, over the runs view: the coordinator of a single command takes up no
// runs, so that it has no list of them.
func (b *localBackend) Bulk(ctx context.Context, r saga.BulkRequest) (saga.BulkReport, error) {
	found, err := b.selectRuns(ctx, &r)
	if err != nil {
		return saga.BulkReport{}, err
	}
	report := saga.BulkReport{DryRun: r.DryRun, Matched: len(found), More: len(found) > r.Limit}
	for _, run := range found[:min(r.Limit, len(found))] {
		res := saga.BulkResult{Run: run.ID, Saga: run.Saga, Version: run.Version, State: run.State}
		if !r.DryRun {
			if err := b.bulkAct(ctx, &r, &run); err != nil {
				res.Error = err.Error()
				report.Failed++
			} else {
				res.Done = true
				report.Done++
			}
		}
		report.Results = append(report.Results, res)
		if ctx.Err() != nil {
			break
		}
	}
	return report, ctx.Err()
}

// selectRuns returns the unfinished runs that the filter selects, oldest first.
func (b *localBackend) selectRuns(ctx context.Context, r *saga.BulkRequest) ([]wire.RunItem, error) {
	f := projections.RunFilter{States: r.Filter.States, Sagas: r.Filter.Sagas, Labels: r.Filter.Labels, Ascending: true, Limit: 1000}
	switch stuckOnly := r.Act == saga.BulkRetry || r.Act == saga.BulkSkip || r.Act == saga.BulkSubstitute; {
	case r.Filter.Action != "" || stuckOnly && len(f.States) == 0:
		f.States = []domain.RunState{domain.RunIsStuck}
	case len(f.States) == 0:
		f.States = []domain.RunState{domain.RunRunning, domain.RunCompensating, domain.RunIsStuck}
	}
	if r.Filter.Version > 0 {
		f.Versions = []int{r.Filter.Version}
	}
	if r.Filter.OlderThan > 0 {
		f.To = time.Now().Add(-r.Filter.OlderThan)
	}
	var found []wire.RunItem
	for {
		page, err := b.Runs(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, run := range page.Items {
			if strings.HasPrefix(run.Key, r.Filter.KeyPrefix) && !run.State.Ended() && (len(r.Filter.Runs) == 0 || slices.Contains(r.Filter.Runs, run.ID)) &&
				(r.Filter.Action == "" || len(stuckSteps(&run, r.Filter.Action)) > 0) {
				found = append(found, run)
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return found, nil
		}
	}
}

// stuckSteps returns the steps of the action at which the run is stuck.
func stuckSteps(run *wire.RunItem, action string) []string {
	var steps []string
	for _, st := range run.Steps {
		if st.Kind == string(projections.WaitsPerson) && st.Action == action {
			steps = append(steps, st.Step)
		}
	}
	return steps
}

// bulkAct does the act to one run.
func (b *localBackend) bulkAct(ctx context.Context, r *saga.BulkRequest, run *wire.RunItem) error {
	steps := []string{""}
	if r.Filter.Action != "" {
		steps = stuckSteps(run, r.Filter.Action)
	}
	v := bulkVerbs[r.Act]
	if v == verbCancel || v == verbPause || v == verbResume || v == verbAbandon {
		steps = []string{""}
	}
	var errs []error
	for _, step := range steps {
		errs = append(errs, b.Act(ctx, run.ID, act{verb: v, step: step, reason: r.Reason, payload: r.Output}))
	}
	return errors.Join(errs...)
}
