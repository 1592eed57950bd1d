package explore

import (
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/evaluate"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// run is a run in memory: what the engine does for a run with a log, done in one goroutine.
type run struct {
	x     *scene
	label string // in the names of points; empty for the first run
	def   *definition.Definition
	s     *machine.State
	facts []domain.Fact
	id    string // of the run
	memo  *payload.Memo
	// blocked are the reasons why the run can't go on with the program at hand.
	blocked []string
	badRead string
}

// begin starts a run with its first event.
func (x *scene) begin(label string, d *definition.Definition, id domain.RunID, started *domain.RunStarted) *run {
	r := &run{x: x, label: label, def: d, s: machine.New(d.Plan, id), memo: new(payload.Memo), id: id.String(), facts: make([]domain.Fact, 0, x.cfg.usual.facts)}
	x.runs, x.byID[id] = append(x.runs, r), r
	r.record(started)
	return r
}

// record appends an event and folds it.
func (r *run) record(e domain.Event) {
	f := domain.Fact{Event: e, Meta: domain.Meta{At: r.x.now, Actor: r.x.node, CorrelationID: r.id}, Revision: uint64(len(r.facts))}
	r.facts = append(r.facts, f)
	r.s = machine.Evolve(r.s, f)
	r.x.tell(r, e)
}

// decide has the machine decide on an intent, records the events and does what they ask for.
func (r *run) decide(in machine.Intent) error {
	events, err := machine.Decide(r.s, machine.Under{Intent: in, Policy: r.policy}, r.x.now)
	if err != nil {
		return err
	}
	for _, e := range events {
		r.record(e)
	}
	for _, e := range events {
		r.perform(e)
	}
	return nil
}

func (r *run) policy(st *machine.Step) *domain.Policy { return r.x.registry.PolicyOf(r.def, st) }

// settle answers what the run owes until nothing is left that can be answered now.
func (r *run) settle() {
	for {
		before := len(r.facts)
		r.blocked = r.blocked[:0]
		type owed struct {
			duty machine.Duty
			step *machine.Step
		}
		var list []owed
		r.s.Todo(r.x.now, func(d machine.Duty, st *machine.Step) bool {
			list = append(list, owed{d, st})
			return true
		})
		for _, o := range list {
			r.answer(o.duty, o.step)
		}
		if len(r.facts) > before {
			continue
		}
		if len(r.blocked) > 0 && r.s.Blocked == "" {
			_ = r.decide(machine.Block{Reason: r.blocked[0]})
		}
		return
	}
}

// answer performs one duty.
func (r *run) answer(d machine.Duty, st *machine.Step) {
	var err error
	switch d {
	case machine.Conclude:
		err = r.decide(machine.Consequence{Step: st.Path})
	case machine.TurnNow:
		err = r.decide(machine.Proceed{})
	case machine.Pass:
		err = r.decide(machine.Passed{Step: st.Path})
	case machine.Start:
		if r.lacksAction(st) {
			return
		}
		err = r.decide(machine.Begin{Step: st.Path, Node: r.x.node})
	case machine.End:
		if r.s.Plan.Returns && !r.s.Turning && r.lacksCode() {
			return
		}
		err = r.decide(r.code().End())
	case machine.Evaluate, machine.Expand:
		if d == machine.Evaluate && r.lacksCode() || st.Node.Kind == domain.KindDo && r.lacksAction(st) {
			return
		}
		var in machine.Intent
		if in, err = r.code().Answer(d, st); err == nil && r.badRead == "" {
			err = r.decide(in)
		}
	}
	if reason := r.badRead; reason != "" {
		r.badRead = ""
		r.blocked = append(r.blocked, reason)
	}
	if noEnd := (*domain.NoEndError)(nil); errors.As(err, &noEnd) {
		r.blocked = append(r.blocked, noEnd.Reason)
	} else if err != nil && !errors.Is(err, machine.ErrStale) {
		r.x.violate(&Violation{Invariant: "atone goes on", Text: fmt.Sprintf("%s: %v: this is a defect of atone", r.s.Run, err)})
	}
}

func (r *run) lacksCode() bool {
	if r.def == nil {
		r.blocked = append(r.blocked, fmt.Sprintf("no program here has saga %s v%d", r.s.Start.Saga, r.s.Start.Version))
	}
	return r.def == nil
}

func (r *run) lacksAction(st *machine.Step) bool {
	if st.Node.Action == nil || r.x.registry.Action(st.Node.Action.Name) != nil {
		return false
	}
	r.blocked = append(r.blocked, fmt.Sprintf("no worker here has the action %q", st.Node.Action.Name))
	return true
}

func (r *run) code() *evaluate.Code {
	return &evaluate.Code{Def: r.def, State: r.s, Memo: r.memo, Now: r.x.now, Node: r.x.node, Action: r.x.registry.Action,
		Call: r.call, Mask: func(f *domain.Failure) *domain.Failure { return f }}
}

// call calls code of the saga in this goroutine.
func (r *run) call(path string, f func() (any, error)) (value any, failure *domain.Failure) {
	value, err := func() (v any, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = contain.Panic(p)
			}
		}()
		return f()
	}()
	if bad := definition.BadRead(err); bad != nil {
		r.badRead = path + ": " + bad.Reason
		return nil, nil
	}
	if failure = contain.Failure(path, err); failure != nil {
		value = nil
	}
	return value, failure
}

// perform does what a recorded event asks for.
func (r *run) perform(e domain.Event) {
	switch e := e.(type) {
	case *domain.AttemptStarted:
		t := work.NewTask(r.s, e)
		t.Known = r.memo.Known(t.Input)
		r.x.flights = append(r.x.flights, newFlight(r, t))
	case *domain.ChildStarted:
		r.beginChild(r.s.Step(e.Step))
	case *domain.ChildTurnedBack:
		r.turnChildBack(r.s.Step(e.Step), e.Cause)
	case *domain.RunCompleted, *domain.RunCompensated, *domain.RunCancelled, *domain.RunAbandoned:
		r.reportEnd()
	}
}

// beginChild makes sure that a child run exists, and hears of its end if it has ended already.
func (r *run) beginChild(st *machine.Step) {
	child := r.x.byID[st.Child]
	if child == nil {
		d, err := r.x.registry.Saga(st.Node.Saga, st.Node.Version)
		if err != nil {
			r.blocked = append(r.blocked, err.Error())
			return
		}
		if err := d.Input.Check(st.Input); err != nil {
			_ = r.decide(machine.ChildRefused{Step: st.Path, Reason: err.Error()})
			return
		}
		labels := r.s.Start.Labels
		if st.Node.Unlabelled {
			labels = nil
		}
		started := &domain.RunStarted{Saga: d.Plan.Saga, Version: d.Plan.Version, Plan: d.Plan.Hash(), Input: st.Input, Labels: labels,
			Parent: &domain.ParentRef{Run: r.s.Run, Step: st.Path}}
		if d.Plan.Deadline > 0 {
			started.Deadline, started.Within = r.x.now.Add(time.Duration(d.Plan.Deadline)), d.Plan.Deadline
		}
		child = r.x.begin(r.label+st.Path+": ", d, st.Child, started)
	}
	child.reportEnd()
}

func (r *run) turnChildBack(st *machine.Step, cause domain.Failure) {
	cause.Kind = domain.FailureParent
	child := r.x.byID[st.Child]
	if child == nil {
		r.x.violate(&Violation{Invariant: "atone goes on", Text: "a child run that never began is turned back"})
		return
	}
	err := child.decide(machine.TurnBack{Cause: cause})
	if errors.Is(err, machine.ErrPastPivot) {
		_ = r.decide(machine.ChildRefused{Step: st.Path, Reason: "child run can't be undone: " + err.Error()})
		return
	}
	child.reportEnd()
}

// reportEnd tells the parent, if there is one, that the run has ended, if it has.
func (r *run) reportEnd() {
	p := r.s.Start.Parent
	if p == nil || !r.s.Status().Ended() {
		return
	}
	parent := r.x.byID[p.Run]
	_ = parent.decide(machine.ChildSeen{Step: p.Step, Run: r.s.Run, State: r.s.End, Output: r.s.Output, Cause: r.s.Cause, PastPivot: r.s.PastPivot})
}

// recover takes the run up after its process died.
func (r *run) recover() {
	var lost []machine.Lost
	r.s.InFlight(func(f machine.Attempt) {
		lost = append(lost, machine.Lost{Step: f.Step.Path, Direction: f.Direction, Attempt: f.Number, Reason: "its worker was gone when the run was taken up"})
	})
	for _, l := range lost {
		_ = r.decide(l)
	}
	type child struct {
		st   *machine.Step
		back bool
	}
	var children []child
	r.s.Children(func(st *machine.Step, back bool) { children = append(children, child{st, back}) })
	for _, c := range children {
		if c.back {
			r.turnChildBack(c.st, domain.Failure{Message: "the parent run turned back"})
		} else {
			r.beginChild(c.st)
		}
	}
	r.reportEnd()
}

// refold folds the run's events anew, as a program does that takes it up.
func (r *run) refold() {
	s := machine.New(r.s.Plan, r.s.Run)
	for _, f := range r.facts {
		s = machine.Evolve(s, f)
	}
	r.s, r.memo = s, new(payload.Memo)
}

func (r *run) root() *run {
	for r.s.Start.Parent != nil {
		r = r.x.byID[r.s.Start.Parent.Run]
	}
	return r
}
