package saga

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// turnTries bounds how often a turn is decided again after somebody else wrote first.
const turnTries = 50

// turn decides on a batch of requests and makes the events durable.
func (a *actor) turn(batch []*request) {
	defer func() { a.hung = nil }()
	for try := 1; ; try++ {
		err := a.safeTurn(batch)
		if err == nil {
			break
		}
		if errors.Is(err, errStale) {
			a.unload()
			continue // at most once for each of the run's steps
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
		for _, r := range batch {
			r.err = err
		}
		a.lookAgain(batch, err)
		return
	}
	if first := batch[0]; first.start != nil {
		a.placed, a.family = first.admitted, familyOf(a.id, first.start)
	}
	a.settled(batch)
}

// attemptTurn loads the run if need be, decides, appends, and performs what is owed. The error
// is a conflict, or that nothing could be read or written.
func (a *actor) attemptTurn(t *turnState, batch []*request) error {
	ctx := a.c.life
	first, cached := batch[0], false
	a.progressed = false
	switch {
	case first.start != nil && a.state != nil:
		return errAlreadyStarted
	case first.start != nil: // the append itself finds out whether the run exists
		a.state, a.def = machine.New(first.plan.Plan, a.id), first.plan
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
	if a.memo == nil {
		a.memo = new(payload.Memo)
	}
	*t = turnState{a: a, now: a.reckon(), ctx: first.ctx, events: make([]decided, 0, 4)}
	if first.start != nil {
		t.now = a.c.startTime(t.now)
		t.add(first.start)
	}
	if !cached && first.start == nil && a.c.cfg.OnDemand && !a.c.cfg.Shared {
		t.ctx = requestContext{actor: a.c.cfg.Node}
		t.recoverRun(false) // nobody else does: the runs of the log were not taken up
	}
	for _, r := range batch {
		if r.recover {
			t.ctx = r.ctx
			t.recoverRun(r.heard)
		}
		if u := r.unstartable; u != nil {
			a.note(u)
		}
		t.asked = t.asked || r.asks()
		if r.intent == nil {
			continue
		}
		t.ctx = r.ctx
		if r.err = a.fits(r.intent); r.err != nil {
			continue
		}
		r.err = t.decide(r.intent)
		if errors.Is(r.err, machine.ErrStale) {
			r.err = nil
		}
	}
	if cached && a.c.cfg.Shared && len(t.events) == 0 && refused(batch) {
		a.unload() // what is known may be old, and no append would find out
		return a.attemptTurn(t, batch)
	}
	for {
		more := t.settle()
		if t.stale {
			t.giveBack()
			return errStale
		}
		if err := t.append(ctx); err != nil {
			t.giveBack()
			return err
		}
		if !more {
			return nil
		}
	}
}

// fits refuses a signal whose payload the run's code, where this program has it, could not read.
func (a *actor) fits(in machine.Intent) error {
	s, ok := in.(machine.Signal)
	if !ok || a.def == nil {
		return nil
	}
	def := a.def
	_, err := contain.Call(contain.ClosureLimit, func() (any, error) { return nil, def.CheckSignal(s.Name, s.Value) })
	if bad := (*contain.MisbehavedError)(nil); errors.As(err, &bad) {
		return fmt.Errorf("%w: signal %s: the code that reads its type %w", ErrBadInput, s.Name, bad)
	}
	return maskInput(def.Plan, s.Value, err)
}

func refused(batch []*request) bool {
	return slices.ContainsFunc(batch, func(r *request) bool { return r.err != nil })
}

var errAlreadyStarted = errors.New("the run exists")

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
	// asked means that somebody wants to know: a block that is said to be one is said anew if the reason differs.
	asked bool
	// full are the actions that had no slot free in this turn.
	full []string
	// badRead says that code of the saga reads what the run does not have: the run is blocked by it.
	badRead string
	// stale means that code hangs that looks at the state: nothing more is decided on it.
	stale bool
}

// errStale says that a turn is to be decided again on a new state.
var errStale = errors.New("the saga's code hangs")

// decided is an event with the circumstances of its decision.
type decided struct {
	event domain.Event
	ctx   requestContext
	clock domain.Clock
}

// turnBudget is after how many bytes of events a turn is appended before more is decided.
const turnBudget = 512 << 10

// decide asks the machine and folds what it decided.
func (t *turnState) decide(in machine.Intent) error {
	if t.stale {
		return errStale
	}
	if reason := t.badRead; reason != "" {
		t.badRead = ""
		return t.block(reason)
	}
	events, err := machine.Decide(t.a.state, t.maskOutcome(in), t.now)
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
	m := domain.Meta{At: t.now, Actor: t.ctx.actor, Clock: t.a.clock}
	t.a.clock = domain.Clock{}
	if _, ok := e.(*domain.RunStarted); ok {
		m.CorrelationID, m.Trace = t.ctx.correlation, t.ctx.trace
	}
	t.a.state = machine.Evolve(s, domain.Fact{Event: e, Meta: m, Revision: uint64(s.Revision + 1)})
	t.events = append(t.events, decided{e, t.ctx, m.Clock})
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
		a.state.Unpark(t.isFull)
		a.state.Todo(t.now, func(d machine.Duty, st *machine.Step) bool {
			list = append(list, owed{d, st})
			return true
		})
		progress := false
		for _, o := range list {
			if t.size > turnBudget {
				return true
			}
			if st := o.step; st != nil && st.Node.Action != nil && t.isFull(st.Node.Action.Name) && (o.duty == machine.Start || o.duty == machine.Evaluate) {
				a.state.Park(st)
				continue
			}
			before := len(t.events)
			t.answer(o.duty, o.step)
			if t.stale {
				return false
			}
			progress = progress || len(t.events) > before
		}
		if progress {
			continue
		}
		t.recordBlock()
		return false
	}
}

// recordBlock records why the run can't go on here, all reasons in one event. Of a run that is blocked already
// that is done only where something has happened to it, or was asked: nodes that lack different things, and code that
// fails with other words each time, would else take turns for ever.
func (t *turnState) recordBlock() {
	a := t.a
	reasons := t.blocked
	a.state.Children(func(st *machine.Step, back bool) {
		if reason := a.unstartable[st.Path]; reason != "" && !back {
			reasons = append(reasons, reason)
		}
	})
	if len(reasons) == 0 || a.state.Blocked != "" && !t.asked && len(t.events) == 0 {
		return
	}
	slices.Sort(reasons)
	if err := t.decide(machine.Block{Reason: strings.Join(slices.Compact(reasons), "; ")}); err != nil {
		a.c.logger.Error("blocked run not recorded as such", "run", a.id, "error", err)
	}
}

// asks reports whether the request is more than a look by the run's own timers and nodes.
func (r *request) asks() bool {
	_, tick := r.intent.(machine.Tick)
	return !r.heard && (r.recover || r.unstartable != nil || r.intent != nil && !tick)
}

func (t *turnState) isFull(action string) bool { return slices.Contains(t.full, action) }

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
	if noEnd := (*machine.NoEndError)(nil); errors.As(err, &noEnd) {
		err = t.block(noEnd.Reason)
	}
	if err != nil && !errors.Is(err, machine.ErrStale) && !errors.Is(err, errStale) {
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
	if !s.Acquire(a.id) {
		t.full = append(t.full, st.Node.Action.Name)
		a.state.Park(st) // so that those who wait for slots are not walked in each turn
		return nil
	}
	before := len(t.events)
	err := t.decide(intent())
	for _, e := range t.events[before:] {
		if started, ok := e.event.(*domain.AttemptStarted); ok {
			a.hold(a.attempt(started.Step, started.Direction, started.Attempt), s, t.now)
			return err
		}
	}
	s.Release()
	return err
}
