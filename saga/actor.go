package saga

// This file is long because one turn of a run (load, decide, settle, append) is best read in one piece.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// actor is a run in this process: its folded state and the intents that wait for it. One
// goroutine at a time works on it, whichever brought an intent first; the others' intents are
// taken along in its next append, so that many outcomes share one write.
type actor struct {
	c      *Coordinator
	id     domain.RunID
	stream string // the run's

	mu    sync.Mutex
	inbox []*request
	busy  bool
	// waiters are told the run's end, or that it is stuck; see tellWaiters.
	waiters []chan *ending
	gone    bool // evicted from the table: look it up again
	// siblings are the attempts whose outcomes are to share an append.
	siblings siblings
	// written is the latest revision that the feed saw, where the log is shared; a state that is
	// behind it is folded again before anything is decided on it.
	written atomic.Int64

	// The rest belongs to the goroutine that set busy.
	state  *machine.State         // nil until loaded
	def    *definition.Definition // nil if this program does not have it
	memo   *payload.Memo          // of the run's payloads, while it has something to do; nil else
	hash   domain.ChainHash
	lastID uuid.UUID
	// held are the slots of the attempts in flight that this coordinator started.
	held map[work.AttemptID]*work.Places
	// placed means that the run holds the place of its family among [Config.MaxRuns].
	placed bool
	family domain.RunID
	// progressed means that the latest turn appended something.
	progressed bool
	// sinceSnapshot counts the events since the last snapshot.
	sinceSnapshot int
	// hung are the steps whose code did not return in this turn, see [evaluated].
	hung map[string]*domain.Failure
	// stepped is by how much the wall clock had been set when the latest turn began; clock is what the run's next
	// event is to say of it, see [actor.reckon].
	stepped time.Duration
	clock   domain.Clock

	// unstartable says, by step, why child runs can't be started here.
	unstartable map[string]string

	// resting links the actors that only wait, see runTable.
	resting restLink
}

// request is an intent on its way through an actor.
type request struct {
	intent machine.Intent
	start  *domain.RunStarted     // for the first request of a new run
	plan   *definition.Definition // with start
	// admitted means that the new run holds a place among [Config.MaxRuns].
	admitted bool
	// recover takes the run up after its coordinator died; heard means that another one said that the run is blocked.
	recover, heard bool
	// unstartable says why a child run can't be started here.
	unstartable *unstartable
	ctx         requestContext
	done        chan struct{}
	err         error
	// view is filled in before done is closed, where asked for.
	view *RunView
}

// requestContext is what an intent's events carry in their metadata.
type requestContext struct {
	actor, trace, correlation, causation string
}

// submit has an intent decided and its events made durable.
func (c *Coordinator) submit(ctx context.Context, id domain.RunID, in machine.Intent) error {
	return c.do(ctx, id, &request{intent: in, ctx: requestContext{actor: actorOf(ctx)}})
}

// do passes a request to the run's actor and waits until it is done, or for ctx; then it is
// done all the same, but the caller does not learn of it.
func (c *Coordinator) do(ctx context.Context, id domain.RunID, req *request) error {
	if c.life.Err() != nil {
		return ErrNotRunning
	}
	req.done = make(chan struct{})
	for {
		a := c.runs.get(c, id)
		a.mu.Lock()
		if a.gone {
			a.mu.Unlock()
			continue
		}
		a.inbox = append(a.inbox, req)
		a.arrived()
		mine := !a.busy
		a.busy = true
		a.mu.Unlock()
		// A caller who may give up must not do the work: the log may be down for longer than that.
		held := ctx.Done() == nil || ctx == c.life
		if mine && (held || !c.goBackground(func(context.Context) { a.work(req) })) {
			a.work(req)
		}
		break
	}
	select {
	case <-req.done:
		if errors.Is(req.err, context.Canceled) && ctx.Err() == nil && c.life.Err() != nil {
			return fmt.Errorf("%w: it stopped meanwhile, and what was asked for may yet be durable: %v", ErrNotRunning, req.err) //nolint:errorlint // the caller's context has not ended
		}
		return req.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work takes turns until the inbox is empty. Once the caller's own request is done, what came in
// meanwhile is left to another goroutine.
func (a *actor) work(own *request) {
	for {
		a.mu.Lock()
		a.awaitSiblings()
		batch := a.inbox
		a.inbox = nil
		if len(batch) == 0 {
			a.busy = false
			a.tellWaiters()
			a.c.runs.rest(a)
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
		for len(batch) > 0 {
			n := together(batch)
			a.turn(batch[:n])
			for _, r := range batch[:n] {
				if own == r {
					own = nil
				}
				close(r.done)
			}
			batch = batch[n:]
		}
		a.mu.Lock()
		more := len(a.inbox) > 0
		a.mu.Unlock()
		if own == nil && more {
			if a.c.goBackground(func(context.Context) { a.work(nil) }) {
				return
			}
		}
	}
}

// together returns how many of the requests can share a turn: a start has one of its own.
func together(batch []*request) int {
	for i, r := range batch {
		if r.start != nil {
			return max(i, 1)
		}
	}
	return len(batch)
}

// settled hands out what the batch's callers want to know, and notes what the run waits for.
func (a *actor) settled(batch []*request) {
	for _, r := range batch {
		if r.view != nil {
			*r.view = a.view()
		}
	}
	a.c.unreadable.forget(a.id)
	w := a.wake()
	a.c.wakeups.SetAt(a.id, a.state.Revision, w, a.stepped, a.progressed)
	a.keepPlace()
	if !a.placed {
		a.memo = nil // a run that waits is to take little memory
	}
	a.c.snapshotIfDue(a)
}

// wake says when the run next needs attention, and in whose hands it is.
func (a *actor) wake() domain.Wake {
	w := a.state.Wake()
	if a.c.cfg.Shared && a.state.Blocked == "" { // a blocked run is for whoever can go on with it
		w.Node = a.c.incarnation
	}
	return w
}

// tellWaiters tells those who wait for the run that it ended or is stuck, or, with nil, that the run could not be
// read, so that they look for themselves. The caller holds mu and nobody works on the run.
func (a *actor) tellWaiters() {
	if len(a.waiters) == 0 {
		return
	}
	var e *ending
	if a.state != nil {
		if e = endingOf(a.state); e == nil {
			return
		}
	}
	for _, ch := range a.waiters {
		ch <- e // buffered
	}
	a.waiters = nil
}

// unload forgets the state; the next turn folds it from the log again. Slots stay held: they are
// given back by the events that end their attempts, or by the reload.
func (a *actor) unload() { a.state, a.memo, a.clock = nil, nil, domain.Clock{} }

// load folds the run from its stream unless it is in memory.
func (a *actor) load(ctx context.Context) error {
	if a.state != nil {
		return nil
	}
	l, err := a.c.fold(ctx, a.id)
	if err != nil {
		return err
	}
	a.state, a.hash, a.lastID = l.state, l.hash, l.lastID
	a.sinceSnapshot = l.sinceSnapshot
	a.def = a.c.registry.ForPlan(l.state.Start.Plan)
	a.releaseEnded()
	return nil
}

// releaseEnded gives back the slots of attempts that are no longer in flight, and cancels those that
// somebody else gave up. An undo is not cancelled (rule 12).
func (a *actor) releaseEnded() {
	if len(a.held) == 0 {
		return
	}
	flying := make(map[work.AttemptID]bool)
	a.state.InFlight(func(f machine.Attempt) {
		id := a.attempt(f.Step.Path, f.Direction, f.Number)
		flying[id] = true
		if f.Cancelled {
			a.c.worker.Cancel(id, ErrRunTurnedBack)
		}
	})
	for id, s := range a.held {
		if !flying[id] {
			a.freePlace(id, s)
			if id.Direction == domain.Do {
				a.c.worker.Cancel(id, errGivenUp)
			}
		}
	}
}
