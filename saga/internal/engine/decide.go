package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// turnState is what a turn has decided and not appended yet.
type turnState struct {
	a      *actor
	now    time.Time
	ctx    By
	events []decided
	size   int
	// blocked is why what is owed can't be done here.
	blocked []string
	// asked means that somebody waits for an answer: a run that is blocked already is recorded as
	// blocked again if the reason differs.
	asked bool
	// full are the calls that could not start in this turn; the value says whether they are held.
	full map[machine.Calls]bool
	// badRead says that code of the saga reads what the run does not have. It blocks the run.
	badRead string
	// stale means that hanging code looks at the state: nothing more is decided on it.
	stale bool
}

// errStale means that the turn must be decided again on a new state.
var errStale = errors.New("the saga's code hangs")

// decided is an event with the circumstances of its decision.
type decided struct {
	event domain.Event
	ctx   By
	clock domain.Clock
}

// turnBudget is how many bytes of events a turn collects before it appends them.
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
	under := machine.Under{Intent: t.maskOutcome(in), Policy: t.a.policy}
	events, err := machine.Decide(t.a.State, under, t.now)
	if err != nil {
		return err
	}
	for _, e := range events {
		t.add(e)
	}
	return nil
}

// policy returns this program's policy for a step's action, nil if it does not have the action.
func (a *actor) policy(st *machine.Step) *domain.Policy {
	return a.engine.cfg.Registry.PolicyOf(a.def, st)
}

// add folds an event into the state before it is appended. If the append fails, the state is
// dropped.
func (t *turnState) add(e domain.Event) {
	s := t.a.State
	m := domain.Meta{At: t.now, Actor: t.ctx.Actor, Clock: t.a.clock}
	t.a.clock = domain.Clock{}
	if _, ok := e.(*domain.RunStarted); ok {
		m.CorrelationID, m.Trace = t.ctx.Correlation, t.ctx.Trace
	}
	t.a.State = machine.Evolve(s, domain.Fact{Event: e, Meta: m, Revision: uint64(s.Revision + 1)})
	t.events = append(t.events, decided{e, t.ctx, m.Clock})
	t.size += eventSize(e)
}

// eventSize returns the size of an event's payloads, which is most of its size.
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

func (t *turnState) isFull(c machine.Calls) bool { _, full := t.full[c]; return full }

// park leaves out a step whose calls can't start in this turn.
func (t *turnState) park(st *machine.Step) { t.a.State.Park(st, t.full[st.Calls()]) }

// block notes why something owed can't be done here. All reasons are recorded together, so that two
// of them do not replace each other for ever.
func (t *turnState) block(reason string) error {
	t.blocked = append(t.blocked, reason)
	return nil
}

// begin starts an attempt if the action has a place free and nobody holds it; otherwise the run is
// queued and nudged when it may start. The intent is made once there is a place.
func (t *turnState) begin(st *machine.Step, intent func() (machine.Intent, error)) error {
	a := t.a
	if st.Node.Action == nil { // a child that must turn back
		return t.decideOn(intent)
	}
	s := a.engine.actions[st.Node.Action.Name]
	if s == nil {
		return t.block(fmt.Sprintf("no worker here has the action %q: deploy a program that does", st.Node.Action.Name))
	}
	if got := s.Acquire(a.id, st.UndoOpen()); got != work.GotPlace {
		if t.full == nil {
			t.full = make(map[machine.Calls]bool)
		}
		t.full[st.Calls()] = got == work.GotHeld
		t.park(st) // so that not every turn walks the steps that wait for places
		return nil
	}
	before := len(t.events)
	err := t.decideOn(intent)
	for _, e := range t.events[before:] {
		if started, ok := e.event.(*domain.AttemptStarted); ok {
			a.hold(a.attempt(started.Step, started.Direction, started.Attempt), s, t.now)
			return err
		}
	}
	s.GiveBack()
	return err
}

func (t *turnState) decideOn(intent func() (machine.Intent, error)) error {
	in, err := intent()
	if err != nil {
		return err
	}
	return t.decide(in)
}

// asks reports whether the request comes from somebody other than the run's own timers and nodes.
func (r *request) asks() bool {
	_, tick := r.intent.(machine.Tick)
	return !r.heard && (r.recover || r.unstartable != nil || r.intent != nil && !tick)
}
