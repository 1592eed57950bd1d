package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/hands"
	"github.com/atonehq/atone/saga/internal/history"
	"github.com/atonehq/atone/saga/internal/journal"
	"github.com/atonehq/atone/saga/internal/plans"
	"github.com/atonehq/atone/saga/internal/timers"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// Config is what an engine is given. All of it is required.
type Config struct {
	Journal  *journal.Journal
	Plans    *plans.Store
	Runs     *history.Runs
	Registry *definition.Registry
	Clock    *timers.Clock
	Wakeups  *timers.List
	Logger   *slog.Logger

	// Node is the actor of what the engine does by itself; Incarnation names this start of the
	// node.
	Node, Incarnation string
	// Shared and OnDemand are those of the coordinator's configuration, as are the bounds.
	Shared, OnDemand                                     bool
	MaxRuns, CacheRuns, ActionConcurrency, SnapshotEvery int

	// Life ends when the coordinator stops.
	Life context.Context
	// Go calls a function with Life in the background. Once the coordinator waits for the
	// background to end, Go returns false and does not call the function.
	Go func(func(context.Context)) bool
	// Hands returns goroutines to call the saga's code on; nil for a new one each time.
	Hands func() *hands.Pool
	// Ready waits until the coordinator runs.
	Ready func(context.Context) error

	// Alive reports whether a coordinator may still be running the attempts that it started.
	Alive func(incarnation string) bool
	// Elsewhere reports whether another coordinator that lives has the run or the attempt.
	Elsewhere func(incarnation string) bool
	// Ahead returns how far another coordinator's clock is ahead of this one's, if that is known.
	Ahead func(incarnation string) (ahead time.Duration, known bool)
	// Tell takes an alert. It does not block.
	Tell func(domain.Alert)
}

// Worker runs attempts. Its methods return without waiting for a handler.
type Worker interface {
	// Cancel ends the context of the attempt's handler.
	Cancel(id work.AttemptID, cause error)
	// WhenReturned calls f when the attempt's handler has returned. If no handler runs, it returns
	// false and does not call f.
	WhenReturned(id work.AttemptID, f func()) bool
}

// Engine moves runs. It is safe for concurrent use.
type Engine struct {
	cfg        Config
	runs       table
	unreadable unreadables
	places     places
	children   children
	// actions are the places of each action; they are fixed once MakePlaces has returned.
	actions   map[string]*work.Places
	worker    Worker
	send      func(*work.Task)
	lastStart atomic.Int64 // see startTime

	// Counts counts what the engine wrote.
	Counts Counts
}

// Counts counts what was written to the streams of runs, and how often another process wrote first.
type Counts struct{ Appends, Events, Conflicts atomic.Int64 }

// New returns an engine. It moves no run before [Engine.MakePlaces] and [Engine.UseWorker].
func New(cfg Config) *Engine {
	e := &Engine{cfg: cfg, actions: make(map[string]*work.Places)}
	e.runs.init(cfg.CacheRuns)
	e.places.init(cfg.MaxRuns)
	e.children = children{cfg: &e.cfg, places: &e.places, start: e.Start, submit: e.Submit, look: e.Look, cannotStart: e.cannotStart}
	return e
}

// MakePlaces makes the places of every registered action.
func (e *Engine) MakePlaces() {
	for name, code := range e.cfg.Registry.Actions() {
		e.actions[name] = work.NewPlaces(e.cfg.Clock, code, e.cfg.ActionConcurrency, e.nudge)
	}
}

// UseWorker sets the worker that runs attempts, and the function that sends them there. Call it
// once, before any run moves.
func (e *Engine) UseWorker(w Worker, send func(*work.Task)) { e.worker, e.send = w, send }

// PlacesOf returns the places of an action, nil if it is not registered. It must not be called
// before MakePlaces has returned.
func (e *Engine) PlacesOf(action string) *work.Places { return e.actions[action] }

// holdWidth is how many runs at once take their turn because an action is held.
const holdWidth = 16

// Hold says whether undos of an action are held from now on, and whether all else is. What has
// started goes on; what is held takes no place. It must not be called before MakePlaces has
// returned.
func (e *Engine) Hold(action string, others, undos bool) {
	p := e.actions[action]
	if p == nil {
		return
	}
	again := p.SetHeld(others, undos)
	if len(again) == 0 {
		return
	}
	e.cfg.Go(func(ctx context.Context) {
		var all errgroup.Group
		all.SetLimit(holdWidth)
		for _, run := range again {
			all.Go(func() error { e.turn(ctx, p, run); return nil })
		}
		_ = all.Wait() // no turn returns an error
	})
}

// Depths returns how much work there is for each action. It must not be called before MakePlaces
// has returned.
func (e *Engine) Depths() map[string]work.Depth {
	out := make(map[string]work.Depth, len(e.actions))
	for name, p := range e.actions {
		out[name] = p.Depth()
	}
	return out
}

// nudge makes a run take its turn: a place is reserved for it.
func (e *Engine) nudge(p *work.Places, run domain.RunID) {
	e.cfg.Go(func(ctx context.Context) { e.turn(ctx, p, run) })
}

// turn has a run take its turn, and gives back the places that it leaves.
func (e *Engine) turn(ctx context.Context, p *work.Places, run domain.RunID) {
	if err := e.Submit(ctx, run, nil, By{}); err != nil && ctx.Err() == nil {
		e.cfg.Logger.Warn("run could not take its turn", "run", run, "error", err)
	}
	p.GiveBackUnused(run)
}

// Active returns how many families of runs hold a place.
func (e *Engine) Active() int { return e.places.taken() }

// Submit decides an intent and makes its events durable. If ctx ends it returns early, but the
// intent is still decided. With a nil intent the run takes its turn.
//
// Errors: those of [machine.Decide], [domain.ErrNotFound], [domain.ErrNotRunning],
// [*domain.UnreadableError], ctx's, and the log's.
func (e *Engine) Submit(ctx context.Context, id domain.RunID, in machine.Intent, by By) error {
	return e.do(ctx, id, &request{intent: in, ctx: by})
}

// Look calls read with the run's state as it is now. read must not keep any part of the state that
// changes. If Look returns an error, read may still be called later. Errors are those of
// [Engine.Submit].
func (e *Engine) Look(ctx context.Context, id domain.RunID, read func(*machine.State)) error {
	return e.do(ctx, id, &request{read: read, ctx: e.self()})
}

// TakeUp takes up a run whose coordinator may have died: attempts that died with it are marked
// lost, and child runs are looked after. heard means that another coordinator said that the run is
// blocked. Errors are those of [Engine.Submit].
func (e *Engine) TakeUp(ctx context.Context, id domain.RunID, heard bool) error {
	return e.do(ctx, id, &request{recover: true, heard: heard, ctx: e.self()})
}

// Wake makes a run do what is due.
func (e *Engine) Wake(id domain.RunID) {
	err := e.do(e.cfg.Life, id, &request{intent: machine.Tick{Elsewhere: e.cfg.Elsewhere}, ctx: e.self()})
	if err == nil || e.cfg.Life.Err() != nil || errors.Is(err, domain.ErrUnreadable) {
		return
	}
	e.cfg.Logger.Warn("run could not be woken", "run", id, "error", err)
}

// Heard notes that the log has the run up to the revision; call it in the stream's order. known
// means that the run is in memory; active that it does not only rest there: somebody waits for it,
// it holds a place, or attempts of it are in flight here.
func (e *Engine) Heard(id domain.RunID, revision int64) (known, active bool) {
	a, active := e.runs.peek(id)
	if a != nil {
		a.written.Store(revision)
	}
	return a != nil, active
}

// cannotStart tells the parent of a child run that the child can't be started here.
func (e *Engine) cannotStart(ctx context.Context, ch childRef, reason string) error {
	reason = fmt.Sprintf("child saga %s v%d: %s", ch.saga, ch.version, reason)
	return e.do(ctx, ch.parent, &request{unstartable: &unstartable{ch.step, reason}, heard: ch.heard, ctx: e.self()})
}

// self is the actor of what the engine does by itself.
func (e *Engine) self() By { return By{Actor: e.cfg.Node} }
