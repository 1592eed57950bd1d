package judge_test

import (
	"encoding/json"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// moves lists all that may happen next. What is owed is decided at once, in its order, as a
// coordinator does; only then the world moves.
func (w *walk) moves(s *machine.State, from *state) (moves []move) {
	s.Todo(from.now, func(d machine.Duty, st *machine.Step) bool {
		moves = w.answers(d, st)
		return false
	})
	if len(moves) > 0 {
		return moves
	}
	add := func(in machine.Intent, counts func(*state)) {
		moves = append(moves, move{intent: in, counts: counts, mayRefuse: true})
	}
	s.InFlight(func(a machine.Attempt) { moves = append(moves, w.outcomes(a, from)...) })
	s.Steps(func(st *machine.Step) { moves = append(moves, w.late(st, from)...) })
	s.Children(func(st *machine.Step, back bool) { moves = append(moves, ends(st, back)...) })
	if wake := s.Wake(); !wake.Due.IsZero() {
		moves = append(moves, move{intent: machine.Tick{}, at: wake.Due, later: wake.Due.After(from.now)})
	}
	if !from.told && w.awaits {
		add(machine.Signal{Name: "go", ID: "1", Value: json.RawMessage(`1`)}, func(to *state) { to.told = true })
	}
	if !from.turned {
		add(machine.TurnBack{Cause: domain.Failure{Kind: domain.FailureParent, Message: "the parent turned back"}}, func(to *state) { to.turned = true })
		add(machine.Cancel{Reason: "no more"}, func(to *state) { to.turned = true })
	}
	switch {
	case s.Paused:
		add(machine.Resume{}, nil)
	case from.pauses < w.p.pauses:
		add(machine.Pause{}, func(to *state) { to.pauses++ })
	}
	return append(moves, w.people(s, from)...)
}

// people lists what a person may do about what is stuck. Once they have acted as often as the plan
// lets them, they close the run.
func (w *walk) people(s *machine.State, from *state) (moves []move) {
	acts := func(to *state) { to.people++ }
	s.StuckSteps(func(st *machine.Step) {
		moves = append(moves, move{intent: machine.Abandon{Reason: "hopeless"}})
		if from.people >= w.p.people {
			return
		}
		moves = append(moves, move{intent: machine.Retry{Step: st.Path, Reason: "again"}, counts: acts},
			move{intent: machine.Resolve{Step: st.Path, How: domain.ResolveSkip, Reason: "seen to"}, counts: acts})
		if st.Phase == machine.Stuck {
			moves = append(moves, move{intent: machine.Resolve{Step: st.Path, How: domain.ResolveSubstitute, Output: json.RawMessage(`"by hand"`), Reason: "did it"}, counts: acts})
		}
	})
	return moves
}

var broke = &domain.Failure{Kind: domain.FailurePermanent, Message: "the code failed"}

// answers lists the answers to what is owed.
func (w *walk) answers(d machine.Duty, st *machine.Step) []move {
	one := func(in ...machine.Intent) (moves []move) {
		for _, in := range in {
			moves = append(moves, move{intent: in})
		}
		return moves
	}
	switch d {
	case machine.Conclude:
		return one(machine.Consequence{Step: st.Path})
	case machine.TurnNow:
		return one(machine.Proceed{})
	case machine.Pass:
		return one(machine.Passed{Step: st.Path})
	case machine.Start:
		return one(machine.Begin{Step: st.Path})
	case machine.End:
		return one(machine.Finish{})
	case machine.Expand:
		round := &domain.Node{Kind: domain.KindSequence, Children: []*domain.Node{do("step", 1)}}
		return one(machine.Planned{Step: st.Path, Round: len(st.Kids())/2 + 1, Steps: round, Inputs: []json.RawMessage{json.RawMessage(`1`)}},
			machine.Planned{Step: st.Path, Round: len(st.Kids())/2 + 1, Done: true, Output: json.RawMessage(`1`)},
			machine.Planned{Step: st.Path, Round: len(st.Kids())/2 + 1, Failure: broke})
	}
	switch st.Node.Kind {
	case domain.KindSwitch:
		return one(machine.Chosen{Step: st.Path, Branch: -1}, machine.Chosen{Step: st.Path, Branch: 0, Case: "1"},
			machine.Chosen{Step: st.Path, Branch: 1, Case: "2"}, machine.Chosen{Step: st.Path, Failure: broke})
	case domain.KindEach:
		return one(machine.Listed{Step: st.Path}, machine.Listed{Step: st.Path, Items: []json.RawMessage{json.RawMessage(`1`), json.RawMessage(`2`)}},
			machine.Listed{Step: st.Path, Failure: broke})
	case domain.KindSleep:
		return one(machine.Timed{Step: st.Path, For: 60e9}, machine.Timed{Step: st.Path, Failure: broke})
	case domain.KindAwait:
		return one(machine.Opened{Step: st.Path}, machine.Opened{Step: st.Path, Failure: broke})
	}
	return one(machine.Evaluated{Step: st.Path, Value: json.RawMessage(`1`)}, machine.Evaluated{Step: st.Path, Failure: broke})
}

// outcomes lists how an attempt in flight may end. That it runs out of time is a move of its own.
func (w *walk) outcomes(a machine.Attempt, from *state) (moves []move) {
	o := machine.Outcome{Step: a.Step.Path, Direction: a.Direction, Attempt: a.Number}
	add := func(change func(*machine.Outcome)) {
		o := o
		change(&o)
		moves = append(moves, move{intent: o})
	}
	fail := func(kind domain.FailureKind, e domain.FailureEffect) {
		add(func(o *machine.Outcome) { o.Failure, o.Effect = &domain.Failure{Kind: kind, Message: "no"}, e })
	}
	if a.Direction == domain.Probe {
		add(func(o *machine.Outcome) { o.Verdict, o.Output = domain.Applied, json.RawMessage(`"found"`) })
		add(func(o *machine.Outcome) { o.Verdict = domain.NotApplied })
		add(func(o *machine.Outcome) { o.Verdict = domain.Unknown })
		add(func(o *machine.Outcome) {
			o.Verdict, o.Failure, o.Effect = domain.Applied, &domain.Failure{Kind: domain.FailurePermanent, Message: "no"}, domain.EffectDone
		})
		fail(domain.FailurePermanent, domain.EffectUnsaid)
	} else {
		add(func(o *machine.Outcome) { o.Output = json.RawMessage(fmt.Sprintf(`"%s %d"`, a.Direction, a.Number)) })
		fail(domain.FailureRetryable, domain.EffectNotDone)
		fail(domain.FailureRetryable, domain.EffectUnsaid)
		fail(domain.FailurePermanent, domain.EffectNotDone)
		fail(domain.FailurePermanent, domain.EffectDone)
	}
	if from.lost < w.p.lost {
		moves = append(moves, move{intent: machine.Lost{Step: o.Step, Direction: o.Direction, Attempt: o.Attempt, Reason: "crash"}, counts: func(to *state) { to.lost++ }})
	}
	return moves
}

// late lists how the attempts that were given up may yet report.
func (w *walk) late(st *machine.Step, from *state) (moves []move) {
	if from.late >= w.p.late {
		return nil
	}
	for _, dir := range []domain.Direction{domain.Do, domain.Undo} {
		for _, n := range st.Tries(dir).GaveUp {
			for _, o := range []machine.Outcome{
				{Output: json.RawMessage(`"late"`)},
				{Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "no"}},
				{Failure: &domain.Failure{Kind: domain.FailurePermanent, Message: "no"}, Effect: domain.EffectNotDone},
			} {
				o.Step, o.Direction, o.Attempt = st.Path, dir, n
				moves = append(moves, move{intent: o, counts: func(to *state) { to.late++ }})
			}
		}
	}
	return moves
}

// ends lists how a child run may end.
func ends(st *machine.Step, back bool) (moves []move) {
	seen := machine.ChildSeen{Step: st.Path, Run: st.Child, Output: json.RawMessage(`"child"`)}
	states := []domain.RunState{domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsAbandoned}
	if back {
		states = states[1:]
	}
	for _, state := range states {
		seen.State = state
		moves = append(moves, move{intent: seen})
	}
	return append(moves, move{intent: machine.ChildRefused{Step: st.Path, Reason: "no such saga"}})
}
