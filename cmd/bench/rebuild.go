package bench

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/views"
)

// runRebuild measures how fast views are built from a log of runs, half of which failed: all at
// once, as a rebuild after an upgrade does it, and each alone.
func runRebuild(ctx context.Context, o Options) (res Result, err error) {
	res = Result{Scenario: o.Scenario, Callers: orElse(o.Callers, 64), Runs: orElse(o.Runs, 30_000)}
	dir, log, closeLog, err := dataLog(o.Data)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	if err := writeRuns(ctx, log, res.Callers, res.Runs); err != nil {
		return res, err
	}
	events, last, err := runEvents(ctx, log)
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

// runServedRebuild measures how fast all views are built from a log that atone's own EventStoreDB
// server serves; half of its runs failed. It measures the first build, and rebuilds while the old
// views answer, as `projections rebuild --all` does: all views at once, and one after the other.
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
	events, last, err := runEvents(ctx, log)
	if err != nil {
		return res, err
	}
	res.Events = float64(events) / float64(res.Runs)

	began := time.Now()
	v, err := startViews(ctx, filepath.Join(dir, "views"), log, views.All()...)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	if err := v.reach(ctx, last); err != nil {
		return res, err
	}
	res.ViewEvents = map[string]float64{"first": float64(events) / time.Since(began).Seconds()}
	const turns = 3
	var atOnce, inTurn []float64
	for range turns {
		before := cpuTime()
		took, err := v.rebuild(ctx, len(v.views))
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

// writeServedRuns fills the log that the server will serve.
func writeServedRuns(ctx context.Context, dir string, callers, runs int) error {
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: quiet})
	if err != nil {
		return err
	}
	return errors.Join(writeRuns(ctx, log, callers, runs), log.Close())
}

// runEvents counts the events of the log's runs and returns the position of the last one.
func runEvents(ctx context.Context, log domain.Log) (events int, last domain.Position, err error) {
	for e, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return 0, 0, err
		}
		events, last = events+1, e.Position
	}
	return events, last, nil
}

// writeRuns runs n runs on a coordinator. Every other run fails and is undone.
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
