package saga

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/alerts"
	"github.com/atonehq/atone/saga/internal/cluster"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/hands"
	"github.com/atonehq/atone/saga/internal/inbox"
	"github.com/atonehq/atone/saga/internal/recovery"
	"github.com/atonehq/atone/saga/internal/timers"
	"github.com/atonehq/atone/saga/internal/work"
)

// Coordinator runs sagas: it decides, appends and has performed. Make one with [New], register
// what it knows, and keep [Coordinator.Run] running. All methods are safe to call concurrently.
type Coordinator struct {
	cfg         Config
	log         Log
	clock       *timers.Clock
	logger      *slog.Logger
	incarnation string

	registry *definition.Registry
	stored   sync.Map // the *definitions whose plans the log has
	runs     runTable
	// unreadable are the runs that wait because they can't be read.
	unreadable unreadables
	wakeups    *timers.List
	slots      map[string]*work.Places // by action; fixed once running
	places     places

	triggers []AnyTrigger
	cluster  *cluster.Cluster

	worker *work.Worker
	// send hands an attempt to the worker in this process, or has the outbox publish it.
	send   func(*work.Task)
	outbox atomic.Pointer[work.Outbox] // nil where attempts don't travel as messages

	state   atomic.Int32 // idle, starting, running, stopped
	ready   chan struct{}
	stopped chan struct{}
	// life ends when the coordinator stops; appends and background work hang on it.
	life       context.Context
	endLife    context.CancelFunc
	failed     chan error // has an element when the log can't be written any more
	background sync.WaitGroup
	hands      hands.Pool
	// backgroundMu guards backgroundEnds, which is set when nothing more may join the background.
	backgroundMu   sync.Mutex
	backgroundEnds bool
	own            recovery.Own // what this coordinator appends to runs
	recovery       *recovery.Recovery
	health         logHealth
	alerts         *alerts.Alerts
	inbox          atomic.Pointer[inbox.Inbox] // nil before the start
	lastStart      atomic.Int64                // see startTime
	stats          Stats
}

const (
	stateIdle int32 = iota
	stateStarting
	stateRunning
	stateStopped
)

// New returns a coordinator. It starts nothing and touches nothing.
func New(cfg Config) (*Coordinator, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &Coordinator{
		cfg:         cfg,
		clock:       timers.NewClock(cfg.Now, cfg.Logger),
		logger:      cfg.Logger,
		incarnation: newIncarnation(cfg.Node),
		slots:       make(map[string]*work.Places),
		ready:       make(chan struct{}),
		stopped:     make(chan struct{}),
		failed:      make(chan error, 1),
	}
	c.log = watchedLog{ownLog{cfg.Log, &c.own}, &c.health}
	c.life, c.endLife = context.WithCancel(context.Background())
	c.registry = definition.NewRegistry()
	c.runs.init(cfg.CacheRuns)
	c.places.init(cfg.MaxRuns)
	c.cluster = cluster.New(cluster.Config{Node: cfg.Node, Incarnation: c.incarnation, NodeTimeout: cfg.NodeTimeout, TakeoverDelay: cfg.TakeoverDelay,
		Log: c.log, Clock: c.clock, Logger: c.logger, TakeUp: func(runs []domain.RunID) { c.recovery.TakeUpAll(c.life, runs) }, Notify: c.notify})
	var others timers.Config
	if cfg.Shared {
		others = timers.Config{Node: c.incarnation, Delay: c.cluster.Delay}
	}
	c.wakeups = timers.NewList(c.clock, others, c.wake)
	c.recovery = c.newRecovery()
	c.alerts = c.newAlerts()
	return c, nil
}

// Register makes sagas known, with every action and child saga in them. All problems are
// reported at once. Register before Run.
func (c *Coordinator) Register(sagas ...AnySaga) error {
	if c.state.Load() != stateIdle {
		return errors.New("register before Run: a running coordinator's sagas are fixed")
	}
	var errs []error
	for _, s := range sagas {
		errs = append(errs, addSaga(c.registry, s))
	}
	return domain.JoinOnce(errs...)
}

// RegisterActions makes single actions known, to be invoked by name.
func (c *Coordinator) RegisterActions(actions ...AnyAction) error {
	if c.state.Load() != stateIdle {
		return errors.New("register before Run: a running coordinator's actions are fixed")
	}
	var errs []error
	for _, a := range actions {
		errs = append(errs, addAction(c.registry, a))
	}
	return domain.JoinOnce(errs...)
}

// Run takes up every unfinished run and keeps all of them going until ctx ends. It returns nil
// after a clean stop, when the last of its goroutines has ended: do handlers are cancelled, undo
// handlers awaited (see [Config.ShutdownTimeout]). What was in flight goes on at the next
// start. Run can be called once. It returns an error, and has then stopped as well, if the plans can't be
// stored ([ErrPlanChanged]), if the log can't be read, or if it takes no more appends (a full disk).
func (c *Coordinator) Run(ctx context.Context) (err error) {
	if !c.state.CompareAndSwap(stateIdle, stateStarting) {
		return errors.New("coordinator runs already, or has run: make a new one")
	}
	defer func() {
		c.state.Store(stateStopped)
		c.endLife()
		c.endBackground()
		c.hands.Close()
		close(c.stopped)
	}()
	if err := c.publishPlans(ctx); err != nil {
		return startError(ctx, err)
	}
	c.makeSlots()
	if !c.cfg.OnDemand {
		c.recovery.Watch()
	}
	stopWorker, broken, err := c.startWorker(ctx)
	if err != nil {
		return startError(ctx, err)
	}
	c.goBackground(c.wakeups.Run)
	c.goBackground(c.watchLog)
	if !c.cfg.OnDemand {
		err = startError(ctx, c.takeUpLog(ctx))
	}
	if err == nil && ctx.Err() == nil {
		c.state.Store(stateRunning)
		close(c.ready)
		select {
		case <-ctx.Done():
		case err = <-c.failed:
		case err = <-broken:
		}
	}
	return errors.Join(err, stopWorker())
}

// startError is what Run returns of an error while it starts: none where it was stopped meanwhile.
func startError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // to be stopped while it starts is a clean stop
	}
	return err
}

// takeUpLog goes on with what the log holds: unfinished runs, domain events, alerts.
func (c *Coordinator) takeUpLog(ctx context.Context) error {
	list, err := c.recovery.Start(ctx)
	if err != nil {
		return err
	}
	owed := recovery.Arm(list, c.elsewhere, func(run domain.RunID, w domain.Wake) { c.wakeups.Set(run, w, true) })
	if err := c.openInbox(ctx, list); err != nil {
		return err
	}
	if c.cfg.Shared {
		c.goBackground(func(ctx context.Context) { c.cluster.Run(ctx, c.wakeups) })
	}
	c.goBackground(func(ctx context.Context) { c.recovery.TakeUpAll(ctx, owed) })
	c.goBackground(func(ctx context.Context) { c.recovery.Keep(ctx, list) })
	c.goBackground(func(ctx context.Context) { c.alerts.Run(ctx, c.cfg.Alerts) })
	return nil
}

// fail makes Run stop with an error: the log takes no more appends. What was not appended goes on
// when the log was opened again.
func (c *Coordinator) fail(err error) {
	c.health.failed.CompareAndSwap(nil, &err)
	select {
	case c.failed <- err:
	default:
	}
}

// idleHands returns goroutines to call foreign code on; nil, which keeps none, for a coordinator that
// does not run: nobody would end them.
func (c *Coordinator) idleHands() *hands.Pool {
	if c.state.Load() != stateRunning {
		return nil
	}
	return &c.hands
}

// goBackground runs f until the coordinator's life ends. It returns false, and does not run f, once
// Run waits for what is in the background: what f was to do is derived again at the next start.
func (c *Coordinator) goBackground(f func(ctx context.Context)) bool {
	c.backgroundMu.Lock()
	defer c.backgroundMu.Unlock()
	if c.backgroundEnds {
		return false
	}
	c.background.Add(1)
	c.hands.Go(func() {
		defer c.background.Done()
		f(c.life)
	})
	return true
}

// endBackground waits for everything in the background.
func (c *Coordinator) endBackground() {
	c.backgroundMu.Lock()
	c.backgroundEnds = true
	c.backgroundMu.Unlock()
	c.background.Wait()
}

// awaitReady waits until the coordinator runs.
func (c *Coordinator) awaitReady(ctx context.Context) error {
	if c.state.Load() == stateRunning {
		return nil
	}
	select {
	case <-c.ready:
		if c.state.Load() == stateRunning {
			return nil
		}
		return ErrNotRunning
	case <-c.life.Done():
		return ErrNotRunning
	case <-ctx.Done():
		return fmt.Errorf("%w: is its Run called? (%w)", ErrNotRunning, ctx.Err())
	}
}

// Ready returns a channel that is closed when the coordinator has started.
func (c *Coordinator) Ready() <-chan struct{} { return c.ready }

// Stats counts what a coordinator did since it was made.
type Stats struct {
	// Appends and Events count what was written to run streams; Conflicts how often
	// somebody else wrote first.
	Appends, Events, Conflicts atomic.Int64
}

// Stats returns the coordinator's counters; they go on counting.
func (c *Coordinator) Stats() *Stats { return &c.stats }

// ActiveRuns returns how many runs are under way, each with its child runs as one, not counting those that only wait.
func (c *Coordinator) ActiveRuns() int { return c.places.taken() }

// UnfinishedRuns returns how many runs have not ended.
func (c *Coordinator) UnfinishedRuns() int { return c.wakeups.Len() }

var _ Log = domain.Log(nil)
