package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/follow"
	"github.com/atonehq/atone/projections/internal/signal"
)

// keeper keeps one view up to date.
type keeper struct {
	cfg     *Config
	view    *projections.View
	nudged  chan struct{} // a rebuild was asked for in this process
	hurried chan struct{} // a query waits
	hub     *follow.Hub
	lag     lag
	origin  origin

	committed atomic.Int64
	swap      sync.Mutex // held while live rows are changed or replaced

	mu       sync.Mutex
	commits  chan struct{} // closed and replaced with each commit
	leading  bool
	caughtUp bool
	notOurs  string
	err      error
}

func newKeeper(cfg *Config, view *projections.View, hub *follow.Hub) *keeper {
	return &keeper{cfg: cfg, view: view, hub: hub, nudged: make(chan struct{}, 1), hurried: make(chan struct{}, 1), commits: make(chan struct{})}
}

// run projects until ctx ends, starting over after each failure.
func (k *keeper) run(ctx context.Context) {
	delays := backoff.ExponentialBackOff{InitialInterval: k.cfg.Backoff, Multiplier: 2, MaxInterval: maxBackoff}
	delays.Reset()
	for ctx.Err() == nil {
		before := k.committed.Load()
		err := k.lead(ctx)
		if ctx.Err() != nil {
			return
		}
		k.set(func() { k.err, k.leading, k.caughtUp = err, false, false })
		if k.committed.Load() != before { // it made progress, so this is a new failure
			delays.Reset()
		}
		delay := delays.NextBackOff()
		k.cfg.Logger.Error("a view failed; it will be tried again", "view", k.view.Name, "in", delay, "error", err)
		if signal.Pause(ctx, nil, delay) != nil {
			return
		}
	}
}

// lead waits for the lease and projects while it holds it.
func (k *keeper) lead(ctx context.Context) error {
	again, err := k.check(ctx)
	if err != nil {
		return err
	}
	lease, err := k.cfg.Store.Lease(ctx, k.view.Name)
	if err != nil {
		return fmt.Errorf("wait for the lease to project %s: %w", k.view.Name, err)
	}
	defer lease.Release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-lease.Lost():
			cancel(fmt.Errorf("%s: the lease was lost: %w", k.view.Name, projections.ErrSuperseded))
		case <-stop:
		}
	}()
	k.set(func() { k.leading = true })
	if again {
		var looking sync.WaitGroup
		defer looking.Wait()
		defer cancel(nil)
		looking.Go(func() {
			if err := k.recheck(ctx); err != nil {
				cancel(err)
			}
		})
	}
	for ctx.Err() == nil {
		if err := k.turn(ctx); err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
	return context.Cause(ctx)
}

// errNewer means that a newer program has upgraded the view.
var errNewer = errors.New("a newer version of the view is in the store: upgrade this process")

// turn projects the existing generations until the set of generations changes.
func (k *keeper) turn(ctx context.Context) error {
	live, building, err := k.generations(ctx)
	if err != nil {
		return err
	}
	if building == nil && (live == nil || live.Old || live.Version < k.view.Version) {
		if _, err := k.cfg.Store.Create(ctx, k.view); err != nil {
			return fmt.Errorf("create the tables of %s: %w", k.view.Name, err)
		}
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 2)
	passes := 0
	if live != nil && !live.Old && live.Version == k.view.Version {
		passes++
		go func() { done <- k.pass(ctx, *live) }()
	}
	if building != nil {
		passes++
		go func() { done <- k.pass(ctx, *building) }()
	} else {
		passes++
		go func() { done <- k.awaitRebuild(ctx) }()
	}
	err = <-done
	cancel()
	for range passes - 1 {
		<-done //nolint:errcheck // they end because of the first
	}
	return err
}

// generations returns the live generation and the one that is being built for this version. It
// drops unfinished ones of other versions.
func (k *keeper) generations(ctx context.Context) (live, building *projections.Generation, err error) {
	gens, err := k.cfg.Store.Generations(ctx, k.view.Name)
	if err != nil {
		return nil, nil, fmt.Errorf("look at the state of %s: %w", k.view.Name, err)
	}
	for i := range gens {
		g := &gens[i]
		switch {
		case g.Version > k.view.Version:
			return nil, nil, fmt.Errorf("%s has version %d, this process %d: %w", k.view.Name, g.Version, k.view.Version, errNewer)
		case g.Live:
			live = g
		case g.Version < k.view.Version || building != nil:
			if err := k.cfg.Store.Drop(ctx, k.view, g.Number); err != nil {
				return nil, nil, fmt.Errorf("drop an unfinished generation of %s: %w", k.view.Name, err)
			}
		default:
			building = g
		}
	}
	return live, building, nil
}

// awaitRebuild returns when there is a generation to build.
func (k *keeper) awaitRebuild(ctx context.Context) error {
	for {
		if err := signal.Pause(ctx, k.nudged, k.cfg.Poll); err != nil {
			return err
		}
		gens, err := k.cfg.Store.Generations(ctx, k.view.Name)
		if err != nil {
			return fmt.Errorf("look for rebuilds of %s: %w", k.view.Name, err)
		}
		for _, g := range gens {
			if !g.Live || g.Version > k.view.Version {
				return nil
			}
		}
	}
}

// await waits for the view's live rows to reach a position, and hurries meanwhile.
func (k *keeper) await(ctx context.Context, position domain.Position, timeout time.Duration) error {
	began := time.Now()
	defer k.hub.Hurry()()
	timed, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := k.checkOnce(timed); err != nil && timed.Err() == nil {
		return err
	}
	return projections.Await(ctx, k.cfg.Store, k.view.Name, position, timeout-time.Since(began), func() <-chan struct{} {
		moved := k.moved()
		signal.Tell(k.hurried)
		return moved
	})
}
