package bench

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
)

// viewing keeps views in SQLite up to date with a log.
type viewing struct {
	runner *runner.Runner
	views  []projections.View
	// stop ends the projection; call it once.
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

// rebuild rebuilds all views, atOnce of them at a time, and returns how long it took.
func (v *viewing) rebuild(ctx context.Context, atOnce int) (time.Duration, error) {
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, view := range v.views {
		group.Go(func() error { return v.runner.Rebuild(ctx, view.Name) })
	}
	err := group.Wait()
	return time.Since(began), err
}

// lastOfRuns returns the position of the last event of a run.
func lastOfRuns(ctx context.Context, log domain.Log) (domain.Position, error) {
	for e, err := range log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		return e.Position, err
	}
	return 0, errors.New("the log has no runs")
}
