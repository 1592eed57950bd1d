package bench

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/views"
)

// runServedRebuild measures how fast all views are built from the log of runs, half of which
// failed, that atone's own EventStoreDB server serves: first, in one go; then anew while the old
// ones answer, as `projections rebuild --all` does it, all at once and one after the other.
func runServedRebuild(ctx context.Context, o Options) (res Result, err error) {
	res = Result{Scenario: o.Scenario, Callers: orElse(o.Callers, 64), Runs: orElse(o.Runs, 15_000), Log: served.name()}
	dir, remove, err := dataDir(o.Data)
	if err != nil {
		return res, err
	}
	defer remove()
	if err := writeServedRuns(ctx, dir, res.Callers, res.Runs); err != nil {
		return res, err
	}
	log, _, closeLog, err := served.open(dir)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	last, err := lastOfRuns(ctx, log)
	if err != nil {
		return res, err
	}
	events := 0
	for _, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return res, err
		}
		events++
	}
	res.Events = float64(events) / float64(res.Runs)

	began := time.Now()
	v, err := startViews(ctx, filepath.Join(dir, "views"), log, views.All()...)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	if err := v.reachAll(ctx, last); err != nil {
		return res, err
	}
	res.ViewEvents = map[string]float64{"first": float64(events) / time.Since(began).Seconds()}
	const turns = 3
	var atOnce, inTurn []float64
	for range turns {
		before := cpuTime()
		took, err := v.rebuild(ctx, len(v.names()))
		if err != nil {
			return res, err
		}
		res.Seconds += took.Seconds()
		res.CPU += (cpuTime() - before).Seconds() / float64(turns*res.Runs) * 1000
		atOnce = append(atOnce, float64(events)/took.Seconds())
		if took, err = v.rebuild(ctx, 1); err != nil {
			return res, err
		}
		inTurn = append(inTurn, float64(events)/took.Seconds())
	}
	res.EventsPerSecond, res.ViewEvents["one after the other"] = median(atOnce), median(inTurn)
	res.PeakRSS = peakRSS()
	return res, nil
}

// writeServedRuns fills the log that the server is then to serve.
func writeServedRuns(ctx context.Context, dir string, callers, runs int) error {
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: quiet})
	if err != nil {
		return err
	}
	return errors.Join(writeRuns(ctx, log, callers, runs), log.Close())
}

// names lists the views.
func (v *viewing) names() []string {
	return []string{"runs", "audit", "incidents", "stats"}
}

// reachAll waits until all views stand at the position.
func (v *viewing) reachAll(ctx context.Context, p domain.Position) error {
	for _, name := range v.names() {
		if err := v.runner.AtLeast(ctx, name, p, time.Hour); err != nil {
			return err
		}
	}
	return nil
}

// rebuild has all views rebuilt, so many at a time, and returns how long it took.
func (v *viewing) rebuild(ctx context.Context, atOnce int) (time.Duration, error) {
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, name := range v.names() {
		group.Go(func() error { return v.runner.Rebuild(ctx, name) })
	}
	err := group.Wait()
	return time.Since(began), err
}
