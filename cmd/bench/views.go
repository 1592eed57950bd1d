package bench

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/views"
)

// viewing keeps views in SQLite up to date with a log.
type viewing struct {
	runner *runner.Runner
	views  []projections.View
	// stop ends it; it is to be called once.
	stop func() error
}

// startViews begins to project the log, from its beginning.
func startViews(ctx context.Context, dir string, log domain.Log, views ...projections.View) (*viewing, error) {
	store, err := sqlite.Open(sqlite.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	runner, err := runner.New(runner.Config{Source: log, Store: store, Views: views, Logger: quiet})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	stop := func() error { cancel(); return errors.Join(<-ended, store.Close()) }
	return &viewing{runner, views, stop}, nil
}

// reach waits until every view stands at the position.
func (v *viewing) reach(ctx context.Context, p domain.Position) error {
	for _, view := range v.views {
		if err := v.runner.AtLeast(ctx, view.Name, p, time.Hour); err != nil {
			return err
		}
	}
	return nil
}

// lastOfRuns returns the position of the last event of a run.
func lastOfRuns(ctx context.Context, log domain.Log) (domain.Position, error) {
	for e, err := range log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		return e.Position, err
	}
	return 0, errors.New("the log has no runs")
}

// runRebuild measures how fast views are built from a log of runs, half of which failed: all at
// once, as a rebuild after an upgrade does it, and each alone.
func runRebuild(ctx context.Context, o Options) (res Result, err error) {
	res = Result{Scenario: o.Scenario, Callers: orElse(o.Callers, 64), Runs: orElse(o.Runs, 30_000)}
	dir, remove, err := dataDir(o.Data)
	if err != nil {
		return res, err
	}
	defer remove()
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: quiet})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := writeRuns(ctx, log, res.Callers, res.Runs); err != nil {
		return res, err
	}
	events := 0
	for _, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return res, err
		}
		events++
	}
	last, err := lastOfRuns(ctx, log)
	if err != nil {
		return res, err
	}
	rebuild := func(name string, views ...projections.View) (time.Duration, error) {
		began := time.Now()
		v, err := startViews(ctx, filepath.Join(dir, name), log, views...)
		if err != nil {
			return 0, err
		}
		err = v.reach(ctx, last)
		took := time.Since(began)
		return took, errors.Join(err, v.stop())
	}
	var all []float64
	before := cpuTime()
	for i := range 3 {
		took, err := rebuild("all-"+itoa(i), views.All()...)
		if err != nil {
			return res, err
		}
		res.Seconds += took.Seconds()
		all = append(all, float64(events)/took.Seconds())
	}
	res.CPU = (cpuTime() - before).Seconds() / float64(3*res.Runs) * 1000
	res.EventsPerSecond, res.Events = median(all), float64(events)/float64(res.Runs)
	res.ViewEvents = make(map[string]float64)
	for _, view := range views.All() {
		took, err := rebuild(view.Name, view)
		if err != nil {
			return res, err
		}
		res.ViewEvents[view.Name] = float64(events) / took.Seconds()
	}
	res.PeakRSS = peakRSS()
	return res, nil
}

// writeRuns has a coordinator do n runs, every other of which fails and is undone.
func writeRuns(ctx context.Context, log domain.Log, callers, n int) error {
	c, stop, err := startCoordinator(ctx, log, embedded.config())
	if err != nil {
		return err
	}
	for _, one := range []runOne{runSignup, runFailing} {
		if _, err := repeat(ctx, callers, max(n/2, 1), func(ctx context.Context) error { return one(ctx, c) }); err != nil {
			return errors.Join(err, stop())
		}
	}
	return stop()
}

// runWithViews measures a scenario with views running beside it and without, in turns.
func runWithViews(ctx context.Context, o Options, sc scenario) (Result, error) {
	res := Result{Scenario: o.Scenario, Callers: sc.callers, Runs: sc.runs, Log: engine(o.Log).name()}
	dir, remove, err := dataDir(o.Data)
	if err != nil {
		return res, err
	}
	defer remove()
	const turns = 3
	sc.runs = max(sc.runs/turns, 1)
	sc.engine = engine(o.Log)
	var with, without, ratios, catchUps []float64
	var sample [][]domain.NewEvent
	for i := range turns {
		turn := Result{}
		sc.views = false
		if _, err := measureRuns(ctx, filepath.Join(dir, "without-"+itoa(i)), sc, &turn); err != nil {
			return res, err
		}
		without = append(without, turn.RunsPerSecond)
		sc.views = true
		if sample, err = measureRuns(ctx, filepath.Join(dir, "with-"+itoa(i)), sc, &res); err != nil {
			return res, err
		}
		with = append(with, res.RunsPerSecond)
		ratios = append(ratios, with[i]/without[i])
		catchUps = append(catchUps, res.ViewsBehindSeconds)
	}
	res.RunsPerSecond, res.WithoutViews = median(with), median(without)
	res.ViewsRatio, res.ViewsBehindSeconds = median(ratios), median(catchUps)
	return res, measureCeiling(ctx, filepath.Join(dir, "ceiling"), sc, sample, &res)
}
