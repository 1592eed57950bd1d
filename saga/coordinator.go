package saga

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/desk"
	"github.com/atonehq/atone/saga/internal/alerts"
	"github.com/atonehq/atone/saga/internal/cluster"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/engine"
	"github.com/atonehq/atone/saga/internal/hands"
	"github.com/atonehq/atone/saga/internal/history"
	"github.com/atonehq/atone/saga/internal/holds"
	"github.com/atonehq/atone/saga/internal/inbox"
	"github.com/atonehq/atone/saga/internal/journal"
	"github.com/atonehq/atone/saga/internal/plans"
	"github.com/atonehq/atone/saga/internal/recovery"
	"github.com/atonehq/atone/saga/internal/timers"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/rejected"
)

// Coordinator runs sagas durably. Make one with [New], register sagas and actions, and keep
// [Coordinator.Run] running. All methods are safe to call concurrently.
type Coordinator struct {
	cfg         Config
	clock       *timers.Clock
	logger      *slog.Logger
	incarnation string

	journal  *journal.Journal
	registry *definition.Registry
	plans    *plans.Store
	runs     *history.Runs
	engine   *engine.Engine
	wakeups  *timers.List

	triggers []AnyTrigger
	cluster  *cluster.Cluster

	worker *work.Worker
	outbox atomic.Pointer[work.Outbox] // nil if attempts don't travel as messages

	state   atomic.Int32 // idle, starting, running, stopped
	ready   chan struct{}
	stopped chan struct{}
	// life ends when the coordinator stops; appends and background work hang on it.
	life       context.Context
	endLife    context.CancelFunc
	background sync.WaitGroup
	hands      hands.Pool
	// backgroundMu guards backgroundEnds, which is set when no more background work may begin.
	backgroundMu   sync.Mutex
	backgroundEnds bool
	own            recovery.Own // what this coordinator appends to runs
	recovery       *recovery.Recovery
	desk           *desk.Desk
	alerts         *alerts.Alerts
	inbox          atomic.Pointer[inbox.Inbox] // nil before the start
	stirred        func()                      // of the inbox; nil outside of tests
	holds          *holds.Holds
	rejected       *rejected.Book
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
		clock:       timers.NewClock(cfg.Clock, cfg.Logger),
		logger:      cfg.Logger,
		incarnation: newIncarnation(cfg.Node),
		ready:       make(chan struct{}),
		stopped:     make(chan struct{}),
	}
	c.life, c.endLife = context.WithCancel(context.Background())
	c.journal = journal.New(ownLog{cfg.Log, &c.own}, cfg.Logger)
	c.registry = definition.NewRegistry()
	c.plans = plans.NewStore(c.journal, c.registry, cfg.Logger)
	c.runs = history.NewRuns(c.journal, c.plans.Plan, cfg.Logger)
	c.cluster = cluster.New(cluster.Config{Node: cfg.Node, Incarnation: c.incarnation, NodeTimeout: cfg.NodeTimeout, TakeoverDelay: cfg.TakeoverDelay,
		Log: c.journal, Clock: c.clock, Logger: c.logger, TakeUp: func(runs []domain.RunID) { c.recovery.TakeUpAll(c.life, runs) }, Notify: c.notify})
	var others timers.Config
	if cfg.Shared {
		others = timers.Config{Node: c.incarnation, Delay: c.cluster.Delay}
	}
	c.wakeups = timers.NewList(c.clock, others, func(run domain.RunID) { c.engine.Wake(run) })
	c.engine = c.newEngine()
	c.recovery = c.newRecovery()
	c.desk, c.rejected = c.newDesk(), c.newRejected()
	c.alerts = c.newAlerts()
	c.holds = holds.New(holds.Config{Log: c.journal, Logger: c.logger, Now: c.clock.Now, Apply: c.engine.Hold})
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
// handlers awaited (see [Config.ShutdownTimeout]). What was in flight goes on at the next start.
// Run can be called once. It returns an error, and has then stopped as well, if the plans can't be
// stored ([ErrPlanChanged]), if the log can't be read, or if it takes no more appends (a full
// disk).
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
	if err := c.plans.Publish(ctx, c.cfg.PlansWhenRun); err != nil {
		return startError(ctx, err)
	}
	c.engine.MakePlaces()
	if !c.cfg.OnDemand {
		c.recovery.Watch()
	}
	stopWorker, broken, err := c.startWorker(ctx)
	if err != nil {
		return startError(ctx, err)
	}
	c.goBackground(c.wakeups.Run)
	c.goBackground(func(ctx context.Context) { c.journal.Watch(ctx, cluster.StreamPrefix+c.cfg.Node) })
	if c.cfg.OnDemand {
		c.makeInbox(nil) // for rejected events that are retried
		err = startError(ctx, c.holds.Load(ctx))
	} else {
		err = startError(ctx, c.takeUpLog(ctx))
	}
	if err == nil && ctx.Err() == nil {
		c.state.Store(stateRunning)
		close(c.ready)
		select {
		case <-ctx.Done():
		case err = <-c.journal.Failures():
		case err = <-broken:
		}
	}
	return errors.Join(err, stopWorker())
}

// takeUpLog goes on with what the log holds: unfinished runs, domain events, alerts.
func (c *Coordinator) takeUpLog(ctx context.Context) error {
	list, err := c.recovery.Start(ctx)
	if err == nil { // what is held later, the inbox hears of
		err = c.holds.Load(ctx)
	}
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
	c.goBackground(c.rejected.Count)
	return nil
}
