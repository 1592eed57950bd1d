package projections

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
)

// keeper keeps one view up to date.
type keeper struct {
	cfg     *Config
	view    *View
	nudged  chan struct{} // a rebuild was asked for in this process
	hurried chan struct{} // a query waits
	hub     *hub
	pace    *pacer
	lag     lag
	history history

	committed atomic.Int64
	swap      sync.Mutex // held while live rows are changed or replaced

	mu       sync.Mutex
	commits  chan struct{} // closed and replaced with each commit
	leading  bool
	caughtUp bool
	notOurs  string
	err      error
}

func newKeeper(cfg *Config, view *View, hub *hub, pace *pacer) *keeper {
	return &keeper{cfg: cfg, view: view, hub: hub, pace: pace, nudged: make(chan struct{}, 1), hurried: make(chan struct{}, 1), commits: make(chan struct{})}
}

// run projects until ctx ends, starting over after each failure.
func (k *keeper) run(ctx context.Context) {
	delay := k.cfg.Backoff
	for ctx.Err() == nil {
		before := k.committed.Load()
		err := k.lead(ctx)
		if ctx.Err() != nil {
			return
		}
		k.set(func() { k.err, k.leading, k.caughtUp = err, false, false })
		if k.committed.Load() != before { // it got somewhere: the failure is a new one
			delay = k.cfg.Backoff
		}
		k.cfg.Logger.Error("a view failed and is tried again", "view", k.view.Name, "in", delay, "error", err)
		if pause(ctx, nil, delay) != nil {
			return
		}
		delay = min(2*delay, maxBackoff)
	}
}

// lead waits for its turn and projects as long as it lasts.
func (k *keeper) lead(ctx context.Context) error {
	again, err := k.check(ctx)
	if err != nil {
		return err
	}
	lease, err := k.cfg.Store.Lease(ctx, k.view.Name)
	if err != nil {
		return fmt.Errorf("wait for the turn to project %s: %w", k.view.Name, err)
	}
	defer lease.Release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-lease.Lost():
			cancel(fmt.Errorf("%s: the lease was lost: %w", k.view.Name, ErrSuperseded))
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

// errNewer means that this process is older than what it finds.
var errNewer = errors.New("a newer version of the view is in the store: upgrade this process")

// turn projects the generations that there are until the set of them changes.
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
		<-done
	}
	return err
}

// generations returns the live generation and the one that is being built for this version,
// and drops those that nobody will finish.
func (k *keeper) generations(ctx context.Context) (live, building *Generation, err error) {
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
		if err := pause(ctx, k.nudged, k.cfg.Poll); err != nil {
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

// pass projects into one generation. It returns nil when that one, not live at first, became so.
func (k *keeper) pass(ctx context.Context, g Generation) error {
	f := newFeed(k, g.Live)
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	reading.Go(func() { f.run(ctx, g.Position) })
	defer reading.Wait()
	defer cancel()

	applier := k.view.New()
	at := g.Checkpoint
	caughtUp, held := false, false
	for {
		b, err := f.take(ctx, caughtUp)
		if err != nil {
			return err
		}
		to := at
		to.Position = max(at.Position, b.to)
		to.Events += int64(len(b.events))
		if n := len(b.events); n > 0 {
			to.At = b.events[n-1].Created
		}
		if to.Position > at.Position {
			if err := k.update(ctx, applier, g, at, to, b.events); err != nil {
				return fmt.Errorf("apply %d events after position %d to %s: %w", len(b.events), at.Position, k.view.Name, err)
			}
			at = to
			k.committed.Add(1)
		}
		caughtUp = caughtUp || b.caughtUp
		if caughtUp && !g.Live {
			if !held { // from here on the live rows wait, or they might always be ahead
				k.swap.Lock()
				defer k.swap.Unlock()
				held = true
			}
			placed, err := k.promote(ctx, g.Number, at.Position)
			if err != nil {
				return fmt.Errorf("put the rebuilt %s in place: %w", k.view.Name, err)
			}
			if placed {
				k.set(func() { k.err = nil })
				return nil
			}
		}
		k.set(func() { k.caughtUp, k.err = caughtUp || !g.Live && k.caughtUp, nil })
	}
}

// update applies one batch.
func (k *keeper) update(ctx context.Context, a Applier, g Generation, from, to Checkpoint, events []Event) error {
	write := func() error {
		return k.cfg.Store.Update(ctx, k.view, g.Number, from, to, func(tx Tx) error { return apply(ctx, a, tx, events) })
	}
	if !g.Live {
		return write()
	}
	k.swap.Lock()
	defer k.swap.Unlock()
	began := time.Now()
	if err := write(); err != nil {
		return err
	}
	k.pace.spent(time.Since(began))
	return nil
}

// promote puts a generation that stands at the position in the place of the live one, unless that has come further:
// what a query has seen, a later one shall see as well. A live one that is not this log's, or is further than the log, is
// no reason to wait.
func (k *keeper) promote(ctx context.Context, number int, at domain.Position) (placed bool, err error) {
	gens, err := k.cfg.Store.Generations(ctx, k.view.Name)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(gens, func(g Generation) bool { return g.Live && !g.Old && g.Position > at }) {
		for _, err := range k.cfg.Source.ReadAll(ctx, at, k.view.filter()) {
			return false, err // there is more to apply
		}
	}
	return true, k.cfg.Store.Promote(ctx, k.view, number)
}

// apply calls the applier; a panic in a view is an error of that view.
func apply(ctx context.Context, a Applier, tx Tx, events []Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the view panicked: %v\n%s", p, debug.Stack())
		}
	}()
	if len(events) == 0 {
		return nil
	}
	return a.Apply(ctx, tx, events)
}

// set changes the keeper's state and wakes those who wait for it to move.
func (k *keeper) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
	close(k.commits)
	k.commits = make(chan struct{})
}

// moved returns a channel that is closed with the next commit or failure.
func (k *keeper) moved() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.commits
}

// poll is how often a reader looks at a view that another process projects.
const poll = 20 * time.Millisecond
