package act

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// Errors of bulk acts that were not done to every run, or not well.
var (
	ErrSomeRefused = errors.New("some runs refused")
	ErrStopped     = errors.New("stopped after as many failures as --stop-after allows")
)

// BulkError is an error of a bulk act whose results, and what to do next, are printed already.
type BulkError struct{ error }

// Unwrap returns the error.
func (e *BulkError) Unwrap() error { return e.error }

// perform asks for a bulk act part by part, each after the last run of the one before, so that no
// request lasts longer than servers allow. It returns the report of all parts, also with an error.
// If ctx ends, the part under way is finished, since what it does can't be told otherwise.
func perform(ctx context.Context, env *access.Env, c *client.Client, r saga.BulkRequest, search string) (saga.BulkReport, error) {
	all := saga.BulkReport{Results: []saga.BulkResult{}}
	stopAfter, limit := r.StopAfter, r.Limit
	show := newProgress(env)
	defer show("")
	defer context.AfterFunc(ctx, func() {
		if !env.JSON() { // the act itself matters more
			_, _ = fmt.Fprintf(env.Err, "interrupted: the runs under way are dealt with first; ctrl-C ends this, too, and `%s` then tells what was done\n", env.CommandLine("audit"))
		}
	})()
	size := sizes{&r}.first()
	for {
		r.Limit = min(size, limit-len(all.Results))
		r.StopAfter = max(0, stopAfter-all.Failed-all.StuckAgain)
		began := time.Now()
		part, err := c.Bulk(context.WithoutCancel(ctx), bulkBody(&r, search))
		if err != nil {
			return all, err
		}
		if len(all.Results) == 0 { // runs that are started meanwhile are not included
			all.Matched, all.Unreadable = part.Matched, part.Unreadable
		}
		all.Results = append(all.Results, part.Results...)
		all.Done, all.Failed, all.StuckAgain, all.Stopped = all.Done+part.Done, all.Failed+part.Failed, all.StuckAgain+part.StuckAgain, part.Stopped
		n := len(all.Results)
		all.More = part.More && n < all.Matched
		if !part.More || part.Stopped || len(part.Results) == 0 || n >= min(limit, all.Matched) {
			return all, nil
		}
		show(fmt.Sprintf("%d of %d runs, ctrl-C ends", n, min(limit, all.Matched)))
		r.After, size = part.Results[len(part.Results)-1].Run, sizes{&r}.next(size, time.Since(began))
		if err := pause(ctx, r.Rate); err != nil {
			return all, err
		}
	}
}

// pause waits as long as the rate asks for between two runs.
func pause(ctx context.Context, rate float64) error {
	if ctx.Err() == nil && rate > 0 {
		select {
		case <-time.After(time.Duration(float64(time.Second) / rate)):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// sizes says how many runs to ask for at once, so that a part lasts about a second or two.
type sizes struct{ *saga.BulkRequest }

// first returns the size of the first part.
func (s sizes) first() int {
	if s.Rate > 0 || s.StopAfter > 0 {
		return 1 // one run after the other
	}
	return 100
}

// next returns the size of the part after one that took so long. The server looks for up to 10 s
// whether a run is stuck again, so few are asked for at once where it does.
func (s sizes) next(size int, took time.Duration) int {
	most := 1000
	if s.StopAfter > 0 {
		most = 5
	}
	switch {
	case took < time.Second:
		size *= 2
	case took > 2*time.Second:
		size /= 2
	}
	return max(1, min(size, most))
}

// bulkBody returns the body of the API's request.
func bulkBody(r *saga.BulkRequest, search string) wire.Bulk {
	f := &r.Filter
	var runs []string
	for _, id := range f.Runs {
		runs = append(runs, id.String())
	}
	after := ""
	if r.After != (domain.RunID{}) {
		after = r.After.String()
	}
	return wire.Bulk{Act: r.Act, All: r.All, Reason: r.Reason, Output: r.Output, DryRun: r.DryRun, Limit: r.Limit, Rate: r.Rate, StopAfter: r.StopAfter, After: after,
		Filter: wire.BulkFilter{Q: search, Runs: runs, Sagas: f.Sagas, Version: f.Version, States: f.States, Labels: f.Labels,
			KeyPrefix: f.KeyPrefix, OlderThan: domain.Duration(f.OlderThan), Action: f.Action}}
}
