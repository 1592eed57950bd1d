package bulk

import (
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/domain"
)

// Runs is how the room looks at runs, and acts on them.
type Runs struct {
	// Now is the time that the age of runs is told by.
	Now func() time.Time
	// Unfinished returns the state of every unfinished run.
	Unfinished func(ctx context.Context) (map[domain.RunID]domain.RunState, error)
	// Started reads how, and when, a run was started.
	Started func(ctx context.Context, run domain.RunID) (*domain.RunStarted, time.Time, error)
	// StuckAt returns the paths of the steps of the action that the run is stuck at.
	StuckAt func(ctx context.Context, run domain.RunID, action string) ([]string, error)
	// Unreadable reports whether the error says that the run can't be read, and notes that.
	Unreadable func(run domain.RunID, err error) bool
	// Act does what the request says to a run; to a step of it, where step is not empty.
	Act func(ctx context.Context, run domain.RunID, step string, req *domain.BulkRequest) error
}

const (
	// width is how many runs are looked at, or dealt with, at once.
	width = 16
	// defaultLimit is how many runs are dealt with in one call where the request does not say.
	defaultLimit = 1_000
	// maxError bounds what a result says of a refusal, in bytes: what a caller gave must not come
	// back once for every run.
	maxError = 200
)

// Do does one thing to every unfinished run that the filter of a valid request selects. A run that
// refuses does not keep the others from it. Do ends early with ctx: what is done is done, and
// calling again goes on with the rest.
func Do(ctx context.Context, runs *Runs, req *domain.BulkRequest) (domain.BulkReport, error) {
	limit := cmp.Or(req.Limit, defaultLimit)
	found, unreadable, err := choose(ctx, runs, req)
	if err != nil {
		return domain.BulkReport{}, err
	}
	report := domain.BulkReport{DryRun: req.DryRun, Matched: len(found), Unreadable: unreadable, More: len(found) > limit}
	found = found[:min(limit, len(found))]
	if !req.DryRun {
		eachAtOnce(ctx, found, func(c *chosen) {
			if err := act(ctx, runs, req, c); err != nil {
				c.Error = domain.CutText(err.Error(), maxError)
			} else {
				c.Done = true
			}
		})
	}
	report.Results = make([]domain.BulkResult, len(found))
	for i := range found {
		report.Results[i] = found[i].BulkResult
		if found[i].Done {
			report.Done++
		} else if found[i].Error != "" {
			report.Failed++
		}
	}
	return report, ctx.Err()
}

// act does the act to one run: to the chosen steps, for an act on steps.
func act(ctx context.Context, runs *Runs, req *domain.BulkRequest, c *chosen) error {
	if len(c.steps) == 0 || !req.Act.StuckOnly() {
		return runs.Act(ctx, c.Run, "", req)
	}
	var errs []error
	for _, step := range c.steps {
		errs = append(errs, runs.Act(ctx, c.Run, step, req))
	}
	return errors.Join(errs...)
}

// eachAtOnce calls f for every element, some at a time, and hands out no more once ctx has ended.
func eachAtOnce[T any](ctx context.Context, list []T, f func(*T)) {
	var all errgroup.Group
	all.SetLimit(width)
	for i := range list {
		if ctx.Err() != nil {
			break
		}
		all.Go(func() error { f(&list[i]); return nil })
	}
	_ = all.Wait() // no f returns an error
}
