package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/contain"
)

// Runs has the functions with which the package reads runs and acts on them.
type Runs struct {
	// Now is the time from which the age of runs is computed.
	Now func() time.Time
	// Unfinished returns the state of every unfinished run.
	Unfinished func(ctx context.Context) (map[domain.RunID]domain.RunState, error)
	// Started reads how, and when, a run was started.
	Started func(ctx context.Context, run domain.RunID) (*domain.RunStarted, time.Time, error)
	// Describe tells the state of a run's steps.
	Describe func(ctx context.Context, run domain.RunID) (explain.Run, error)
	// Why tells how a run stands.
	Why func(ctx context.Context, run domain.RunID) (explain.Reason, error)
	// Unreadable reports whether the error says that the run can't be read, and notes that.
	Unreadable func(run domain.RunID, err error) bool
	// Act does what the request says to a run; to a step of it, where step is not empty. In a dry
	// run, of which [Dry] tells, it only says whether it would be refused.
	Act func(ctx context.Context, run domain.RunID, step string, req *domain.BulkRequest) error
	// Wait waits until the run has ended or is stuck, and returns why it did not complete.
	Wait func(ctx context.Context, run domain.RunID) error
	// Preview tells what a cancel of a run would do.
	Preview func(ctx context.Context, run domain.RunID) (explain.Preview, error)
}

const (
	// width is how many runs are looked at, or dealt with, at once.
	width = 16
	// defaultLimit is how many runs are dealt with in one call where the request does not say.
	defaultLimit = 1_000
	// soon is within what time a run that is stuck again counts as a failure of the act.
	soon = 10 * time.Second
	// actLimit is how long an act on one run may take, so that a run that hangs holds up no other.
	actLimit = time.Minute
	// maxError bounds a result's error, in bytes, so that a caller's input does not come back once
	// for every run.
	maxError = 200
)

// Do does one thing to every unfinished run that the filter of a valid request selects. If one run
// refuses, the others are still handled. Do ends early when ctx ends; a further call continues with
// the rest.
func Do(ctx context.Context, runs *Runs, req *domain.BulkRequest) (domain.BulkReport, error) {
	limit := cmp.Or(req.Limit, defaultLimit)
	found, unreadable, err := choose(ctx, runs, req)
	if err != nil {
		return domain.BulkReport{}, err
	}
	report := domain.BulkReport{DryRun: req.DryRun, Matched: len(found), Unreadable: unreadable, More: len(found) > limit}
	found = found[:min(limit, len(found))]
	switch {
	case req.DryRun:
		found = ask(ctx, runs, req, found)
		report.More = report.More || len(found) < min(limit, report.Matched)
		if req.Act == domain.BulkCancel || req.Act == domain.BulkAbandon {
			report.Undo = foresee(ctx, runs, found)
		}
	case req.Rate > 0 || req.StopAfter > 0:
		var n int
		n, report.Stopped = inTurn(ctx, runs, req, found)
		report.More = report.More || n < len(found)
		found = found[:n]
	default:
		var one sync.Mutex
		eachAtOnce(ctx, found, func(c *chosen) {
			c.note(act(ctx, runs, req, c))
			one.Lock()
			defer one.Unlock()
			tell(req, c)
		})
		// Those for which there was no time are left.
		if i := slices.IndexFunc(found, func(c chosen) bool { return !c.Done && c.Error == "" }); i >= 0 {
			found, report.More = found[:i], true
		}
	}
	report.Results = make([]domain.BulkResult, len(found))
	for i := range found {
		report.Results[i] = found[i].BulkResult
		if found[i].Done {
			report.Done++
			if found[i].Error != "" {
				report.StuckAgain++
			}
		} else if found[i].Error != "" {
			report.Failed++
		}
	}
	return report, ctx.Err()
}

// inTurn deals with one run after the other, as fast as the request allows, and returns how many it
// dealt with, and whether it stopped because too many failed.
func inTurn(ctx context.Context, runs *Runs, req *domain.BulkRequest, found []chosen) (n int, stopped bool) {
	pace := rate.NewLimiter(rate.Inf, 1)
	if req.Rate > 0 {
		pace.SetLimit(rate.Limit(req.Rate))
	}
	failures := 0
	for i := range found {
		if pace.Wait(ctx) != nil {
			return i, false
		}
		c := &found[i]
		c.note(act(ctx, runs, req, c))
		tell(req, c)
		if req.StopAfter == 0 {
			continue
		}
		if c.Error != "" || req.Act.StuckOnly() && c.stuckAgain(ctx, runs) {
			failures++
		}
		if failures == req.StopAfter {
			return i + 1, true
		}
	}
	return len(found), false
}

// stuckAgain reports whether the run is soon stuck again, and notes why.
func (c *chosen) stuckAgain(ctx context.Context, runs *Runs) bool {
	within, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	err := runs.Wait(within, c.Run)
	if e, _ := domain.EndingOf(err); e.State != domain.RunIsStuck {
		return false
	}
	c.Error = domain.CutText("done, and stuck again: "+err.Error(), maxError)
	return true
}

// note notes what became of the act.
func (c *chosen) note(err error) {
	c.Done = err == nil
	if err != nil {
		text := err.Error()
		// That it is this run, the row says.
		if _, rest, ok := strings.Cut(text, c.Run.String()+": "); ok {
			text = rest
		}
		c.Error = domain.CutText(text, maxError)
	}
}

// tell tells the caller what happened to a run.
func tell(req *domain.BulkRequest, c *chosen) {
	if req.Each != nil {
		req.Each(c.BulkResult)
	}
}

// act does the act to one run: to the chosen steps, for an act on steps. A panic is an error, and
// so is no answer in good time; it is not known then whether the act was done.
func act(ctx context.Context, runs *Runs, req *domain.BulkRequest, c *chosen) error {
	within, cancel := context.WithTimeout(context.WithValue(ctx, manyKey{}, true), actLimit)
	defer cancel()
	id, steps := c.Run, c.steps
	_, err := contain.Call(actLimit+time.Second, func() (struct{}, error) {
		if len(steps) == 0 || !req.Act.StuckOnly() {
			return struct{}{}, runs.Act(within, id, "", req)
		}
		var errs []error
		for _, step := range steps {
			errs = append(errs, runs.Act(within, id, step, req))
		}
		return struct{}{}, errors.Join(errs...)
	})
	if contain.Hung(err) || err != nil && within.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("no answer within %v: it is not known whether it was done", actLimit)
	}
	var bad *contain.MisbehavedError
	if errors.As(err, &bad) {
		return fmt.Errorf("the act %w", err)
	}
	var already domain.AlreadyError
	if errors.As(err, &already) {
		return already // somebody else may have done it meanwhile
	}
	return err
}

// eachAtOnce calls f for every element, some at a time, and starts no more calls once ctx has
// ended.
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
