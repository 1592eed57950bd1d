package saga

// This file is long because one turn of a run (load, decide, settle, append) is best read in one piece.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// actor is a run in this process: its folded state and the intents that wait for it. One
// goroutine at a time works on it, whichever brought an intent first; the others' intents are
// taken along in its next append, so that many outcomes share one write.
type actor struct {
	c  *Coordinator
	id domain.RunID

	mu    sync.Mutex
	inbox []*request
	busy  bool
	// waiters are told the run's end, or that it is stuck.
	waiters []chan *ending
	gone    bool // evicted from the table: look it up again
	// written is the latest revision that the feed saw, where the log is shared; a state that is
	// behind it is folded again before anything is decided on it.
	written atomic.Int64

	// The rest belongs to the goroutine that set busy.
	state  *machine.State // nil until loaded
	def    *definition    // nil if this program does not have it
	hash   domain.ChainHash
	lastID uuid.UUID
	// held are the slots of the attempts in flight that this coordinator started.
	held     map[attemptID]*slot
	admitted bool
	// progressed means that the latest turn appended something.
	progressed bool
	// sinceSnapshot counts the events since the last snapshot.
	sinceSnapshot int

	// resting links the actors that only wait, see runTable.
	resting restLink
}

// request is an intent on its way through an actor.
type request struct {
	intent machine.Intent
	start  *domain.RunStarted // for the first request of a new run
	plan   *definition        // with start
	// admitted means that the new run holds a place among [Config.MaxRuns].
	admitted bool
	// recover takes the run up after its coordinator died.
	recover bool
	ctx     requestContext
	done    chan struct{}
	err     error
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

// turnTries bounds how often a turn is decided again after somebody else wrote first.
const turnTries = 50

// turn decides on a batch of requests and makes the events durable.
func (a *actor) turn(batch []*request) {
	for try := 1; ; try++ {
		err := a.attemptTurn(batch)
		if err == nil {
			break
		}
		if errors.Is(err, errAlreadyStarted) {
			batch[0].err = err
			return
		}
		a.unload()
		if errors.Is(err, domain.ErrConflict) {
			a.c.stats.Conflicts.Add(1)
			if try < turnTries && batch[0].start == nil {
				continue
			}
		}
		if batch[0].start != nil {
			a.admitted = false
		}
		for _, r := range batch {
			r.err = err
		}
		return
	}
	a.settled(batch)
}

// attemptTurn loads the run if need be, decides, appends, and performs what is owed. The error
// is a conflict, or that nothing could be read or written.
func (a *actor) attemptTurn(batch []*request) error {
	ctx := a.c.life
	first, cached := batch[0], false
	a.progressed = false
	switch {
	case first.start != nil && a.state != nil:
		return errAlreadyStarted
	case first.start != nil: // the append itself finds out whether the run exists
		a.state, a.def = machine.New(first.plan.plan, a.id), first.plan
		a.hash, a.lastID = domain.ChainHash{}, uuid.Nil
		a.sinceSnapshot = 0
	default:
		for _, r := range batch {
			if a.state != nil && (r.recover || a.written.Load() > a.state.Revision) {
				a.unload()
			}
		}
		cached = a.state != nil
		if err := a.load(ctx); err != nil {
			return err
		}
	}
	t := turnState{a: a, now: a.c.cfg.Now(), ctx: first.ctx}
	if first.start != nil {
		t.now = a.c.startTime(t.now)
		t.add(first.start)
		a.admitted = first.admitted
	}
	for _, r := range batch {
		if r.recover {
			t.ctx = r.ctx
			t.recoverRun()
		}
		if r.intent == nil {
			continue
		}
		t.ctx = r.ctx
		r.err = t.decide(r.intent)
		if errors.Is(r.err, machine.ErrStale) {
			r.err = nil
		}
	}
	if cached && a.c.cfg.Shared && len(t.events) == 0 && refused(batch) {
		a.unload() // what is known may be old, and no append would find out
		return a.attemptTurn(batch)
	}
	for {
		more := t.settle()
		if err := t.append(ctx); err != nil {
			t.giveBack()
			return err
		}
		if !more {
			return nil
		}
	}
}

func refused(batch []*request) bool {
	return slices.ContainsFunc(batch, func(r *request) bool { return r.err != nil })
}

var errAlreadyStarted = errors.New("the run exists")

// settled hands out what the batch's callers want to know, and notes what the run waits for.
func (a *actor) settled(batch []*request) {
	for _, r := range batch {
		if r.view != nil {
			*r.view = a.view()
		}
	}
	w := a.wake()
	if a.admitted && (!w.Busy || w.State.Ended()) {
		a.admitted = false
		<-a.c.admitted
	}
	a.c.wakeups.setAt(a.id, a.state.Revision, w, a.progressed)
	a.c.snapshotIfDue(a)
}

// wake says when the run next needs attention, and in whose hands it is.
func (a *actor) wake() domain.Wake {
	w := a.state.Wake()
	if a.c.cfg.Shared {
		w.Node = a.c.incarnation
	}
	return w
}

// tellWaiters tells those who wait for the run that it ended or is stuck. The caller holds
// mu and nobody works on the run.
func (a *actor) tellWaiters() {
	if len(a.waiters) == 0 || a.state == nil {
		return
	}
	e := endingOf(a.state)
	if e == nil {
		return
	}
	for _, ch := range a.waiters {
		ch <- e // buffered
	}
	a.waiters = nil
}

// unload forgets the state; the next turn folds it from the log again. Slots stay held: they are
// given back by the events that end their attempts, or by the reload.
func (a *actor) unload() { a.state = nil }

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
	a.def = a.c.registry.definitionFor(l.state.Start.Plan)
	a.releaseEnded()
	return nil
}

// releaseEnded gives back the slots of attempts that are no longer in flight, and cancels those that
// somebody else gave up. An undo is not cancelled (rule 12).
func (a *actor) releaseEnded() {
	if len(a.held) == 0 {
		return
	}
	flying := make(map[attemptID]bool)
	a.state.InFlight(func(f machine.Attempt) {
		id := attemptID{a.id, f.Step.Path, f.Direction, f.Number}
		flying[id] = true
		if f.Cancelled {
			a.c.worker.cancel(id, ErrRunTurnedBack)
		}
	})
	for id, s := range a.held {
		if !flying[id] {
			delete(a.held, id)
			s.release()
			if id.dir == domain.Do {
				a.c.worker.cancel(id, errGivenUp)
			}
		}
	}
}

// errGivenUp is why an attempt is cancelled whose run another coordinator took over.
var errGivenUp = errors.New("another coordinator gave this attempt up")

// giveBack gives back the slots of attempts whose start was not appended.
func (t *turnState) giveBack() {
	for _, d := range t.events {
		if e, ok := d.event.(*domain.AttemptStarted); ok {
			t.a.letGo(e.Step, e.Direction, e.Attempt)
		}
	}
}

// turnState is one pass of decisions that become one append.
type turnState struct {
	a      *actor
	now    time.Time
	ctx    requestContext
	events []decided
	size   int
	// blocked is why what is owed can't be done here.
	blocked []string
}

// decided is an event with the circumstances of its decision.
type decided struct {
	event domain.Event
	ctx   requestContext
}

// turnBudget is after how many bytes of events a turn is appended before more is decided.
const turnBudget = 512 << 10

// decide asks the machine and folds what it decided.
func (t *turnState) decide(in machine.Intent) error {
	events, err := machine.Decide(t.a.state, in, t.now)
	if err != nil {
		return err
	}
	for _, e := range events {
		t.add(e)
	}
	return nil
}

// add folds an event into the state, ahead of its append; if that fails, the state is
// dropped.
func (t *turnState) add(e domain.Event) {
	s := t.a.state
	m := domain.Meta{At: t.now, Actor: t.ctx.actor}
	if _, ok := e.(*domain.RunStarted); ok {
		m.CorrelationID, m.Trace = t.ctx.correlation, t.ctx.trace
	}
	t.a.state = machine.Evolve(s, domain.Fact{Event: e, Meta: m, Revision: uint64(s.Revision + 1)})
	t.events = append(t.events, decided{e, t.ctx})
	t.size += eventSize(e)
}

// eventSize estimates what matters of an event's size: its payloads.
func eventSize(e domain.Event) int {
	const rest = 400
	switch e := e.(type) {
	case *domain.AttemptStarted:
		return rest + len(e.Input)
	case *domain.AttemptSucceeded:
		return rest + len(e.Output)
	case *domain.ItemsListed:
		n := rest
		for _, i := range e.Items {
			n += len(i) + 1
		}
		return n
	case *domain.DomainEvent:
		return rest + len(e.Payload)
	}
	return rest
}

// settle answers what the state owes until nothing is left that can be answered now. It
// returns true where it stopped because the append is full.
func (t *turnState) settle() (more bool) {
	a := t.a
	t.ctx = requestContext{actor: a.c.cfg.Node}
	type owed struct {
		duty machine.Duty
		step *machine.Step
	}
	var list []owed
	for {
		list, t.blocked = list[:0], nil
		a.state.Todo(t.now, func(d machine.Duty, st *machine.Step) bool {
			list = append(list, owed{d, st})
			return true
		})
		progress := false
		for _, o := range list {
			if t.size > turnBudget {
				return true
			}
			before := len(t.events)
			t.answer(o.duty, o.step)
			progress = progress || len(t.events) > before
		}
		if progress {
			continue
		}
		if len(t.blocked) > 0 {
			slices.Sort(t.blocked)
			if err := t.decide(machine.Block{Reason: strings.Join(slices.Compact(t.blocked), "; ")}); err != nil {
				a.c.logger.Error("blocked run not recorded as such", "run", a.id, "error", err)
			}
		}
		return false
	}
}

// block notes why something that is owed can't be done here. All reasons are recorded together,
// so that two of them do not take turns.
func (t *turnState) block(reason string) error {
	t.blocked = append(t.blocked, reason)
	return nil
}

// answer performs one duty.
func (t *turnState) answer(d machine.Duty, st *machine.Step) {
	a := t.a
	var err error
	switch d {
	case machine.Conclude:
		err = t.decide(machine.Consequence{Step: st.Path})
	case machine.TurnNow:
		err = t.decide(machine.Proceed{})
	case machine.Pass:
		err = t.decide(machine.Passed{Step: st.Path})
	case machine.Start:
		err = t.begin(st, func() machine.Intent { return machine.Begin{Step: st.Path, Node: a.c.incarnation} })
	case machine.End:
		err = t.end()
	case machine.Evaluate, machine.Expand:
		err = t.evaluate(d, st)
	}
	if err != nil && !errors.Is(err, machine.ErrStale) {
		a.c.logger.Error("run can't go on: this is a defect", "run", a.id, "duty", d, "error", err)
	}
}

// begin starts an attempt if the action has a slot free; otherwise the slot calls back. The
// intent is made once there is a slot.
func (t *turnState) begin(st *machine.Step, intent func() machine.Intent) error {
	a := t.a
	if st.Node.Action == nil { // a child to be turned back
		return t.decide(intent())
	}
	s := a.c.slots[st.Node.Action.Name]
	if s == nil {
		return t.block(fmt.Sprintf("no worker here has the action %q: deploy a program that does", st.Node.Action.Name))
	}
	if !s.acquire(a.id) {
		return nil
	}
	before := len(t.events)
	err := t.decide(intent())
	for _, e := range t.events[before:] {
		if started, ok := e.event.(*domain.AttemptStarted); ok {
			if a.held == nil {
				a.held = make(map[attemptID]*slot, 4)
			}
			a.held[attemptID{a.id, started.Step, started.Direction, started.Attempt}] = s
			return err
		}
	}
	s.release()
	return err
}
