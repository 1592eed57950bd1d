package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
)

// sim drives a state as a coordinator does, and plays the workers, the people and the children
// around it. What it checks on the way is in sim_check_test.go.
type sim struct {
	t    *rapid.T
	plan *domain.Plan
	h    *history
	s    *State
	now  time.Time
	w    world
	// children are the child runs and how they stand.
	children map[domain.RunID]*childRun
	// calm means that from here on everything succeeds.
	calm    bool
	retries map[string]int
	abandon bool
	// stepped is by how much the clock was set, clock what the next event says of it.
	stepped domain.Duration
	clock   domain.Clock
	// original is a state that a copy was made of, and dumped what it was then.
	original *State
	dumped   string
}

type childRun struct {
	step  string
	state domain.RunState
	back  bool
}

// newSim starts a run of a random plan of at most about the given number of steps.
func newSim(t *rapid.T, steps int) *sim {
	run := uuid.NewSHA1(uuid.Nil, []byte("run"))
	x := &sim{t: t, plan: drawPlan(t, steps), h: newHistory(run), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), children: map[domain.RunID]*childRun{}, retries: map[string]int{},
		w: world{effect: map[string]bool{}, undone: map[string]bool{}, excused: map[string]bool{}, vouched: map[string]bool{}}}
	x.s = New(x.plan, run)
	x.abandon = rapid.IntRange(1, 4).Draw(t, "people abandon what is stuck") == 1
	start := &domain.RunStarted{Saga: x.plan.Saga, Version: 1, Plan: x.plan.Hash(), Input: json.RawMessage(`{"in":1}`)}
	if rapid.IntRange(1, 5).Draw(t, "deadline") == 1 {
		start.Deadline = x.now.Add(20 * time.Second)
		if x.coin("deadline since the start") {
			start.Within = domain.Duration(20 * time.Second)
		}
	}
	x.record(start)
	x.settle()
	return x
}

func (x *sim) draw(n int, label string) int { return rapid.IntRange(0, n-1).Draw(x.t, label) }
func (x *sim) coin(label string) bool       { return x.draw(2, label) == 0 }

// record appends one event and folds it.
func (x *sim) record(e domain.Event) {
	x.checkEvent(e)
	f, err := x.h.add(e, domain.Meta{At: x.now, Actor: "sim", CorrelationID: "corr", Clock: x.clock})
	if err != nil {
		x.t.Fatalf("%s does not survive the log: %v", e.WireName(), err)
	}
	x.clock = domain.Clock{}
	x.s = Evolve(x.s, f)
	if err := checkWaits(x.s); err != nil {
		x.t.Fatalf("after %s: %v", e.WireName(), err)
	}
	switch e := e.(type) {
	case *domain.AttemptStarted:
		a := &try{step: e.Step, dir: e.Direction, n: e.Attempt}
		if e.Direction == domain.Undo {
			a.key = x.s.UndoKey(x.s.Step(e.Step))
		}
		x.w.tries = append(x.w.tries, a)
	case *domain.ChildStarted:
		x.children[e.Run] = &childRun{step: e.Step, state: domain.RunRunning}
	case *domain.ChildTurnedBack:
		x.children[e.Run].back = true
	}
}

// decide has an intent decided and recorded, and returns what was.
func (x *sim) decide(in Intent) ([]domain.Event, error) {
	before := dump(x.s)
	events, err := Decide(x.s, in, x.now)
	if after := dump(x.s); before != after {
		x.t.Fatalf("Decide(%T) changed the state\n%s", in, difference(before, after))
	}
	if x.draw(4, "decide again") == 0 {
		x.sameAfterReload(in, events, err)
	}
	for _, e := range events {
		x.record(e)
	}
	return events, err
}

// tell has an intent from outside decided, and everything settled that is owed then.
func (x *sim) tell(in Intent) []domain.Event {
	events, err := x.decide(in)
	if err != nil && !errors.Is(err, ErrStale) && !errors.Is(err, ErrEnded) && !errors.Is(err, ErrPastPivot) && !errors.Is(err, ErrTurnedBack) && !errors.Is(err, ErrNotStuck) && !errors.As(err, new(domain.AlreadyError)) {
		x.t.Logf("%T: %v", in, err)
	}
	x.settle()
	x.goOnWithACopy()
	return events
}

// settle answers what is owed until nothing is.
func (x *sim) settle() {
	type owed struct {
		duty Duty
		step *Step
	}
	for round := 0; ; round++ {
		if round > 500 {
			x.t.Fatalf("what is owed never ends\n%s", dump(x.s))
		}
		var list []owed
		x.s.Todo(x.now, func(d Duty, st *Step) bool { list = append(list, owed{d, st}); return true })
		progress := false
		for i, o := range list {
			if o.duty == Start && !x.calm && x.draw(5, "no slot") == 0 {
				continue
			}
			in := x.answer(o.duty, o.step)
			events, err := x.decide(in)
			if noEnd := (*domain.NoEndError)(nil); errors.As(err, &noEnd) {
				events, err = x.decide(Block{Reason: noEnd.Reason})
			}
			if err != nil && (i == 0 || !errors.Is(err, ErrStale)) {
				x.t.Fatalf("owed, but refused: %T for duty %d of %s: %v\n%s", in, o.duty, pathOf(o.step), err, dump(x.s))
			}
			progress = progress || len(events) > 0
		}
		if !progress {
			return
		}
	}
}

// answer makes the intent that performs a duty, as the coordinator's evaluate does.
func (x *sim) answer(d Duty, st *Step) Intent {
	var failure *domain.Failure
	if (d == Evaluate || d == Expand) && !x.calm && x.draw(12, "code fails") == 0 {
		failure = &domain.Failure{Kind: domain.FailurePermanent, Step: st.Path, Message: "code failed"}
	}
	switch d {
	case Conclude:
		return Consequence{Step: st.Path}
	case TurnNow:
		return Proceed{}
	case Pass:
		return Passed{Step: st.Path}
	case Start:
		return Begin{Step: st.Path, Node: "node"}
	case End:
		in := Finish{}
		if x.plan.Returns && !x.s.Turning {
			in.Output = json.RawMessage(`"returned"`)
			if !x.calm && x.draw(6, "return fails") == 0 {
				in = Finish{Failure: &domain.Failure{Kind: domain.FailurePermanent, Message: "return failed"}}
			}
		}
		return in
	case Expand:
		return x.expand(st, failure)
	}
	switch st.Node.Kind {
	case domain.KindSwitch:
		return Chosen{Step: st.Path, Branch: x.draw(len(st.Node.Children)+1, "branch") - 1, Case: "x", Failure: failure}
	case domain.KindEach:
		in := Listed{Step: st.Path, Failure: failure}
		for i := range x.draw(4, "items") {
			in.Items = append(in.Items, json.RawMessage(fmt.Sprint(i)))
		}
		return in
	case domain.KindSleep:
		d := time.Duration(x.draw(30, "sleep")) * time.Second
		if x.coin("sleeps until a time") {
			return Timed{Step: st.Path, Due: x.now.Add(d), Failure: failure}
		}
		return Timed{Step: st.Path, For: d, Failure: failure}
	case domain.KindAwait:
		return Opened{Step: st.Path, Correlation: "42", Failure: failure}
	}
	return Evaluated{Step: st.Path, Value: json.RawMessage(`{"v":1}`), Failure: failure, Node: "node"}
}

func (x *sim) expand(st *Step, failure *domain.Failure) Intent {
	in := Planned{Step: st.Path, Round: len(st.kids)/2 + 1, Failure: failure}
	if in.Done = x.coin("planner is done"); in.Done {
		in.Output = json.RawMessage(`"planned"`)
		return in
	}
	p := &planner{t: x.t}
	in.Steps = &domain.Node{Kind: rapid.SampledFrom([]domain.Kind{domain.KindSequence, domain.KindParallel}).Draw(x.t, "round's kind")}
	for range rapid.IntRange(1, 2).Draw(x.t, "round's steps") {
		n := &domain.Node{Kind: domain.KindDo, Name: p.name("planned")}
		p.do(n)
		in.Steps.Children = append(in.Steps.Children, n)
		in.Inputs = append(in.Inputs, json.RawMessage(`{"given":1}`))
	}
	return in
}

// flying reports whether the state waits for the attempt.
func (x *sim) flying(a *try) bool {
	found := false
	x.s.InFlight(func(f Attempt) {
		found = found || f.Step.Path == a.step && f.Direction == a.dir && f.Number == a.n
	})
	return found
}

// report has the worker of an attempt end it: with an outcome, or by never being heard of again.
func (x *sim) report(a *try) {
	st := x.s.Step(a.step)
	if a.dir == domain.Undo && st.Node.Action.Effect != domain.EffectUndo {
		x.t.Fatalf("%s has no undo, but one was started", a.step)
	}
	how := 0
	if !x.calm {
		how = x.draw(7, "outcome")
	}
	o := Outcome{Step: a.step, Direction: a.dir, Attempt: a.n}
	switch {
	case how == 5 && x.flying(a) && !a.applied: // the worker dies
		if x.coin("applied") {
			x.takes(a)
		}
		a.dead = true
		return
	case how == 6 && a.dir != domain.Probe: // its work is done, but it is not heard of for now
		x.takes(a)
		a.applied = true
		return
	case a.dir == domain.Probe:
		x.probe(&o, how)
	case how <= 1 || a.applied && how < 4:
		x.takes(a)
		o.Output = json.RawMessage(fmt.Sprintf(`{"out":%d}`, a.n))
	case how == 2:
		o.Failure, o.Effect = x.failure(domain.FailureRetryable), domain.EffectNotDone
		o.Failure.RetryAfter = domain.Duration(x.draw(2, "retry after")) * domain.Duration(time.Second)
	case how == 3:
		o.Failure, o.Effect = x.failure(domain.FailurePermanent), domain.EffectNotDone
	default:
		x.failsInDoubt(a, &o)
	}
	a.reported, a.outcome = true, &o
	if o.Failure == nil && a.dir == domain.Do && x.coin("emits") {
		o.Emitted = []*domain.DomainEvent{{Type: "model.done", Payload: json.RawMessage(`{}`)}}
	}
	x.tell(o)
}

func (x *sim) failure(kind domain.FailureKind) *domain.Failure {
	return &domain.Failure{Kind: kind, Message: "model failure"}
}

// failsInDoubt is a failure that says nothing of its effect, that it is in doubt, or that it
// happened. Only in the last case is the effect known.
func (x *sim) failsInDoubt(a *try, o *Outcome) {
	o.Effect = rapid.SampledFrom([]domain.FailureEffect{domain.EffectUnsaid, domain.EffectUnsaid, domain.EffectInDoubt, domain.EffectDone}).Draw(x.t, "says")
	o.Failure = x.failure(rapid.SampledFrom([]domain.FailureKind{domain.FailureRetryable, domain.FailureTimedOut, domain.FailurePermanent}).Draw(x.t, "kind"))
	if o.Effect == domain.EffectDone || x.coin("applied") {
		x.takes(a)
	}
}

// takes does the attempt's work, once. A handler takes an undo with a key that it has seen for a
// repeat.
func (x *sim) takes(a *try) {
	lasting := x.s.Step(a.step).Node.Action.Effect != domain.EffectNone
	switch {
	case a.applied:
	case lasting && a.dir == domain.Do:
		x.w.effect[a.step] = true
	case a.dir == domain.Undo && !x.w.undone[a.key]:
		x.w.undone[a.key] = true
		x.w.effect[a.step] = false
	}
}

// probe answers truthfully, that it can't tell, or not at all.
func (x *sim) probe(o *Outcome, how int) {
	o.Verdict = domain.NotApplied
	switch {
	case how == 3 || how == 4:
		o.Verdict, o.Failure = domain.Unknown, x.failure(rapid.SampledFrom([]domain.FailureKind{domain.FailureRetryable, domain.FailureTimedOut, domain.FailurePermanent}).Draw(x.t, "kind"))
	case how == 2 || x.w.mayStillApply(o.Step):
		o.Verdict = domain.Unknown
	case x.w.effect[o.Step] && how == 6:
		o.Verdict, o.Failure, o.Effect = domain.Applied, x.failure(domain.FailurePermanent), domain.EffectDone
	case x.w.effect[o.Step]:
		o.Verdict, o.Output = domain.Applied, json.RawMessage(`{"found":1}`)
	}
}

// fold makes the state anew, by the clock as it stands.
func (x *sim) fold() *State {
	s := x.h.fold(x.plan)
	s.Reckon(x.clock)
	return s
}

// setClock sets the wall clock forward or back by up to an hour. The next event says so.
func (x *sim) setClock() {
	by := time.Duration(x.draw(7201, "set the clock")-3600) * time.Second
	x.now, x.stepped = x.now.Add(by), x.stepped+domain.Duration(by)
	x.s.Reckon(domain.Clock{Node: "sim", Stepped: x.stepped, Shift: domain.Duration(by)})
	x.clock = domain.Clock{Node: "sim", Stepped: x.stepped, Shift: x.clock.Shift + domain.Duration(by)}
}

// advance lets the time pass to when the run next needs attention.
func (x *sim) advance() bool {
	if x.draw(10, "the clock is set") == 0 {
		x.setClock()
	}
	w := x.s.Wake()
	if w.Due.IsZero() {
		return false
	}
	if w.Due.After(x.now) {
		x.now = w.Due
	}
	x.tell(Tick{})
	return true
}

// crash kills the coordinator and its workers, and folds the run anew.
func (x *sim) crash() {
	for _, a := range x.w.tries {
		if !a.reported && (x.flying(a) || !a.applied) {
			a.dead = true
		}
	}
	x.reload()
	var lost []Lost
	x.s.InFlight(func(f Attempt) {
		lost = append(lost, Lost{Step: f.Step.Path, Direction: f.Direction, Attempt: f.Number, Reason: "crash"})
	})
	for _, l := range lost {
		x.tell(l)
	}
	x.settle()
}

// childMoves lets a child run end, as its parent wants.
func (x *sim) childMoves(id domain.RunID, c *childRun) {
	if c.back {
		if c.state == domain.RunIsCompensated || x.calm || x.draw(6, "child can't be undone") > 0 {
			c.state = domain.RunIsCompensated
			x.w.effect[c.step] = false
			x.tell(ChildSeen{Step: c.step, Run: id, State: c.state})
		} else {
			x.tell(ChildRefused{Step: c.step, Reason: "past its pivot"})
		}
		return
	}
	if c.state == domain.RunRunning {
		c.state = rapid.SampledFrom([]domain.RunState{domain.RunIsCompleted, domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled, domain.RunIsAbandoned}).Draw(x.t, "child's end")
		x.w.effect[c.step] = c.state == domain.RunIsCompleted || c.state == domain.RunIsAbandoned
		if c.state == domain.RunIsAbandoned { // a person took what it left upon himself
			x.w.excused[c.step], x.w.vouched[c.step] = true, true
		}
	}
	x.tell(ChildSeen{Step: c.step, Run: id, State: c.state, Output: json.RawMessage(`"child"`)})
}
