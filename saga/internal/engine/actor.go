package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/history"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// actor is a run in this process: its folded state and the intents that wait for it. One goroutine
// at a time works on it: the first that brings an intent. Its next append takes along the intents
// that others bring meanwhile, so that many outcomes share one write.
type actor struct {
	engine *Engine
	id     domain.RunID
	stream string // the run's

	mu       sync.Mutex
	requests []*request // those that wait for the next turn
	busy     bool
	// waiters are told the run's end, or that it is stuck; see tellWaiters.
	waiters []chan *ending
	gone    bool // evicted from the table: look it up again
	// siblings are the attempts whose outcomes are to share an append.
	siblings siblings
	// written is the latest revision that [Engine.Heard] reported, if the log is shared. A state
	// that is behind it is folded again before anything is decided on it.
	written atomic.Int64

	// The rest belongs to the goroutine that set busy.
	history.Folded                        // State is nil until loaded
	def            *definition.Definition // nil if this program does not have it
	// memo has the run's payloads as Go values while the run holds a place; nil else.
	memo *payload.Memo
	// held are the places of the attempts in flight that this coordinator started.
	held map[work.AttemptID]*work.Places
	// placed means that the run holds the place of its family among [Config.MaxRuns]. A family is a
	// run that nobody started as a child, with all runs below it; family is the id of that run.
	placed bool
	family domain.RunID
	// progressed means that the latest turn appended something.
	progressed bool
	// hung has the steps whose code did not return in this turn, see [evaluated].
	hung map[string]*domain.Failure
	// stepped is by how much the wall clock had been set when the latest turn began. clock is what
	// the run's next event says of that, see [actor.reckon].
	stepped time.Duration
	clock   domain.Clock

	// unstartable says, by step, why child runs can't be started here.
	unstartable map[string]string

	// resting links the actors that only wait, see table.
	resting restLink
}

// request is an intent on its way through an actor.
type request struct {
	intent machine.Intent
	start  *domain.RunStarted     // for the first request of a new run
	plan   *definition.Definition // with start
	// admitted means that the new run holds a place among [Config.MaxRuns].
	admitted bool
	// recover takes the run up after its coordinator died; heard means that another coordinator
	// said that the run is blocked.
	recover, heard bool
	// unstartable says why a child run can't be started here.
	unstartable *unstartable
	ctx         By
	done        chan struct{}
	err         error
	// read, if set, is called with the state before done is closed. It must not keep any part of
	// the state that changes.
	read func(*machine.State)
}

// By says who wants an intent decided, and in which connection. The events carry it in their
// metadata. All of it may be empty.
type By struct {
	Actor, Trace, Correlation, Causation string
}

// do passes a request to the run's actor and waits until a turn has dealt with it or ctx ends. If
// ctx ends first, a turn still deals with the request, but the caller does not learn the result. A
// caller that finds nobody at work on the actor works on it, or has a goroutine do so.
func (e *Engine) do(ctx context.Context, id domain.RunID, req *request) error {
	if e.cfg.Life.Err() != nil {
		return domain.ErrNotRunning
	}
	req.done = make(chan struct{})
	a := e.runs.lock(e, id)
	a.requests = append(a.requests, req)
	a.arrived()
	mine := !a.busy
	a.busy = true
	a.mu.Unlock()
	// A caller whose ctx can end must not do the work itself: the log may be down for longer.
	stays := ctx.Done() == nil || ctx == e.cfg.Life
	if mine && (stays || !e.cfg.Go(func(context.Context) { a.work(req) })) {
		a.work(req)
	}
	select {
	case <-req.done:
		if errors.Is(req.err, context.Canceled) && ctx.Err() == nil && e.cfg.Life.Err() != nil {
			return fmt.Errorf("%w: it stopped meanwhile, and what was asked for may yet be durable: %v", domain.ErrNotRunning, req.err) //nolint:errorlint // the caller's context has not ended
		}
		return req.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work takes turns until no request waits. Once the caller's own request is done, another
// goroutine takes what came in meanwhile.
func (a *actor) work(own *request) {
	for {
		a.mu.Lock()
		a.awaitSiblings()
		batch := a.requests
		a.requests = nil
		if len(batch) == 0 {
			a.busy = false
			a.tellWaiters()
			a.engine.runs.rest(a)
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
		for len(batch) > 0 {
			n := together(batch)
			if a.turn(batch[:n]) {
				a.afterTurn(batch[:n])
			}
			for _, r := range batch[:n] {
				if own == r {
					own = nil
				}
				close(r.done)
			}
			batch = batch[n:]
		}
		a.mu.Lock()
		more := len(a.requests) > 0
		a.mu.Unlock()
		if own == nil && more {
			if a.engine.cfg.Go(func(context.Context) { a.work(nil) }) {
				return
			}
		}
	}
}

// together returns how many of the requests can share a turn: a start has a turn of its own.
func together(batch []*request) int {
	for i, r := range batch {
		if r.start != nil {
			return max(i, 1)
		}
	}
	return len(batch)
}

// afterTurn gives the state to the callers who asked for it, and notes what the run waits for.
func (a *actor) afterTurn(batch []*request) {
	for _, r := range batch {
		if r.read != nil {
			r.read(a.State)
		}
	}
	a.engine.unreadable.forget(a.id)
	w := a.wake()
	a.engine.cfg.Wakeups.SetAt(a.id, a.State.Revision, w, a.stepped, a.progressed)
	a.keepPlace()
	if !a.placed {
		a.memo = nil // a run that waits should take little memory
	}
	a.saveIfDue()
}

// tellWaiters tells those who wait for the run that it ended or is stuck. If the run could not be
// read it sends nil, so that they look for themselves. The caller holds mu, and nobody works on the
// run.
func (a *actor) tellWaiters() {
	if len(a.waiters) == 0 {
		return
	}
	var e *ending
	if a.State != nil {
		if e = endingOf(a.State); e == nil {
			return
		}
	}
	for _, ch := range a.waiters {
		ch <- e // buffered
	}
	a.waiters = nil
}
