package sagatest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// Scenario is a test of one saga in three sentences: given, when, then. Each action has a stand-in,
// which succeeds with the zero value of its output unless a [Fact] says otherwise.
type Scenario[Out any] struct {
	kit  *Kit
	run  *Run[Out]
	from uint64 // the first revision that counts as a call
}

// Fact is something that a scenario takes for given.
type Fact struct {
	apply func(*Kit)
}

// Does says that an action succeeds with an output.
func Does[In, Out any](a *saga.Action[In, Out], out Out) Fact {
	return stands(a, func(s *StandIn[In, Out]) { s.Return(out) })
}

// Fails says that the next n attempts of an action fail without an effect.
func Fails[In, Out any](a *saga.Action[In, Out], n int, err error) Fact {
	return stands(a, func(s *StandIn[In, Out]) { s.Fail(n, err) })
}

// Refuses says that an action fails for good, with nothing done.
func Refuses[In, Out any](a *saga.Action[In, Out], err error) Fact {
	return stands(a, func(s *StandIn[In, Out]) { s.Refuse(err) })
}

// TimesOut says that the next n attempts of an action time out without an effect.
func TimesOut[In, Out any](a *saga.Action[In, Out], n int) Fact {
	return stands(a, func(s *StandIn[In, Out]) { s.TimeOut(n) })
}

// TimesOutDone says that the next n attempts of an action take effect, and then time out.
func TimesOutDone[In, Out any](a *saga.Action[In, Out], n int) Fact {
	return stands(a, func(s *StandIn[In, Out]) { s.TimeOutDone(n) })
}

// UndoRefuses says that the undo of an action fails for good.
func UndoRefuses[In, Out any](a *saga.Action[In, Out], err error) Fact {
	return stands(a, func(s *StandIn[In, Out]) { s.RefuseUndo(err) })
}

// IsReal says that an action's own functions are called.
func IsReal[In, Out any](a *saga.Action[In, Out]) Fact {
	return stands(a, func(s *StandIn[In, Out]) { s.Real() })
}

func stands[In, Out any](a *saga.Action[In, Out], f func(*StandIn[In, Out])) Fact {
	return Fact{func(k *Kit) {
		k.t.Helper()
		if k.stand.of(a.Name) == nil {
			StandFor(k, a)
		}
		f(&StandIn[In, Out]{k, k.stand.put(a.Name, a)})
	}}
}

// Given starts a run of the saga with an input, and plays it until it has ended, or waits for a
// time, a signal, an event or a person.
func Given[In, Out any](t testing.TB, s *saga.Saga[In, Out], in In, facts ...Fact) *Scenario[Out] {
	t.Helper()
	k := ready(t, s, facts)
	sc := &Scenario[Out]{kit: k, run: Start(k, s, in)}
	k.Settle()
	return sc
}

// GivenEvents begins in the middle of a run: these are its events so far, from
// [domain.RunStarted] on, as [Kit.Events] or a log has them. The coordinator takes the run up as
// after a restart. What the events say was done is in place; calls count from there on.
func GivenEvents[In, Out any](t testing.TB, s *saga.Saga[In, Out], events []domain.Event, facts ...Fact) *Scenario[Out] {
	t.Helper()
	k := ready(t, s, facts)
	started, ok := first(events)
	if !ok {
		t.Fatalf("GivenEvents: the first event of a run is a *domain.RunStarted")
	}
	plan, err := s.Plan()
	k.must("read the plan of "+s.Name(), err)
	own := *started
	own.Saga, own.Version, own.Plan = s.Name(), s.Version(), plan.Hash()
	k.life.log.die() // so that nobody takes up half of the run
	k.end()
	id := domain.NewRunID()
	k.write(id, &own, events)
	k.begin()
	sc := &Scenario[Out]{kit: k, run: RunOf[Out](k, id), from: uint64(len(events))}
	k.Settle()
	return sc
}

// ready returns a kit for the saga in which every action has a stand-in.
func ready(t testing.TB, s saga.AnySaga, facts []Fact) *Kit {
	t.Helper()
	k := New(t, s)
	for _, f := range facts {
		f.apply(k)
	}
	k.stand.all()
	return k
}

func first(events []domain.Event) (*domain.RunStarted, bool) {
	if len(events) == 0 {
		return nil, false
	}
	started, ok := events[0].(*domain.RunStarted)
	return started, ok
}

// write appends a run's events, and notes what they say was done.
func (k *Kit) write(id domain.RunID, started *domain.RunStarted, events []domain.Event) {
	k.t.Helper()
	var hash domain.ChainHash
	sealed := make([]domain.NewEvent, len(events))
	actions := map[string]string{}
	for i, e := range events {
		if i == 0 {
			e = started
		}
		// Busy has the coordinator look at the run when it starts.
		meta := domain.Meta{At: k.Now(), Actor: "test", Wake: domain.Wake{State: domain.RunRunning, Busy: true}}
		sealed[i], hash = domain.Seal(domain.RunStream(id), uint64(i), hash, e, meta)
		switch e := e.(type) {
		case *domain.AttemptStarted:
			actions[e.Step] = e.Action
		case *domain.AttemptSucceeded:
			key := domain.IdempotencyKey(id, e.Step, domain.Do)
			if d := k.stand.of(actions[e.Step]); d != nil && e.Direction == domain.Undo {
				delete(d.effects, key)
			} else if d != nil {
				d.effects[key] = &effect{run: id, step: e.Step, out: e.Output, order: k.count()}
			}
		}
	}
	_, err := (&tap{Log: k.inner, kit: k}).Append(context.Background(), domain.RunStream(id), domain.NoStream, sealed...)
	k.must("write the given events", err)
}

// WhenSignalled delivers a signal.
func (s *Scenario[Out]) WhenSignalled(name string, value any) *Scenario[Out] {
	s.kit.t.Helper()
	s.run.Signal(name, value)
	return s
}

// WhenEmitted appends a domain event with a correlation id.
func (s *Scenario[Out]) WhenEmitted(eventType, correlation string, payload any) *Scenario[Out] {
	s.kit.t.Helper()
	s.kit.Emit("scenario", eventType, correlation, payload)
	s.kit.Settle()
	return s
}

// WhenCancelled cancels the run.
func (s *Scenario[Out]) WhenCancelled(reason string) *Scenario[Out] {
	s.kit.t.Helper()
	s.run.Cancel(reason)
	return s
}

// WhenTimePasses moves the clock forward.
func (s *Scenario[Out]) WhenTimePasses(d time.Duration) *Scenario[Out] {
	s.kit.t.Helper()
	s.kit.Advance(d)
	return s
}

// WhenAllIsDue lets time pass until the run has ended or is stuck.
func (s *Scenario[Out]) WhenAllIsDue() *Scenario[Out] {
	s.kit.t.Helper()
	s.run.Ended()
	return s
}

// WhenCrashed has the coordinator die and start again.
func (s *Scenario[Out]) WhenCrashed() *Scenario[Out] {
	s.kit.t.Helper()
	s.kit.Crash()
	s.kit.Settle()
	return s
}

// When does something else with the kit and the run.
func (s *Scenario[Out]) When(f func(k *Kit, run *Run[Out])) *Scenario[Out] {
	s.kit.t.Helper()
	f(s.kit, s.run)
	s.kit.Settle()
	return s
}

// ThenCalls requires these calls, in this order, and no others: "charge-card" is an attempt of that
// step's do, "undo charge-card" one of its undo, and so with probe and handler.
func (s *Scenario[Out]) ThenCalls(calls ...string) *Scenario[Out] {
	s.kit.t.Helper()
	return s.same("the calls", calls, s.calls())
}

// ThenIs requires a state of the run.
func (s *Scenario[Out]) ThenIs(state domain.RunState) *Scenario[Out] {
	s.kit.t.Helper()
	if v := s.run.View(); v.State != state {
		s.run.fail(fmt.Sprintf("the run is %s, not %s: %s", v.State, state, s.run.why()))
	}
	return s
}

// ThenLeaves requires that just the effects of these steps are in place, in any order; without
// steps, none. An action that says it has no effect leaves none.
func (s *Scenario[Out]) ThenLeaves(steps ...string) *Scenario[Out] {
	s.kit.t.Helper()
	return s.same("the effects left", slices.Sorted(slices.Values(steps)), s.kit.stand.effects(s.run.ID))
}

// Then checks something else.
func (s *Scenario[Out]) Then(check func(k *Kit, run *Run[Out])) *Scenario[Out] {
	s.kit.t.Helper()
	check(s.kit, s.run)
	return s
}

func (s *Scenario[Out]) same(what string, want, got []string) *Scenario[Out] {
	s.kit.t.Helper()
	if diff := differ(what, want, got); diff != "" {
		s.run.fail(diff)
	}
	return s
}

// calls returns the attempts of the run that were started, in order.
func (s *Scenario[Out]) calls() (calls []string) {
	s.kit.t.Helper()
	for i, e := range s.kit.Events(s.run.ID) {
		if a, ok := e.(*domain.AttemptStarted); ok && uint64(i) >= s.from {
			call := a.Step
			if a.Direction != domain.Do {
				call = string(a.Direction) + " " + a.Step
			}
			calls = append(calls, call)
		}
	}
	return calls
}

// Events returns a run's events, as [GivenEvents] takes them.
func (k *Kit) Events(run domain.RunID) (events []domain.Event) {
	k.t.Helper()
	for r, err := range k.inner.ReadStream(context.Background(), domain.RunStream(run), 0) {
		k.must("read the run", err)
		f, err := domain.DecodeFact(&r)
		k.must("read the run", err)
		events = append(events, f.Event)
	}
	return events
}
