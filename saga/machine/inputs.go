package machine

import (
	"encoding/json"

	"github.com/atonehq/atone/domain"
)

// knownInput returns an input that needs no code of the definition: a failure handler's report, a
// planned step's input, the results so far for a planner.
func (s *State) knownInput(st *Step) json.RawMessage {
	if st.Handler {
		return s.report(st.About)
	}
	if in := st.given(); in != nil {
		return in
	}
	return st.results()
}

// plannerRound returns the round of which the step is the planner, or 0.
func (st *Step) plannerRound() int {
	if st.parent != nil && st.parent.Node.Kind == domain.KindPlan && st.index%2 == 0 {
		return st.index/2 + 1
	}
	return 0
}

// results builds the input of the planner of round 2 and later. It has only the results of the last
// round: otherwise a run of n rounds would record each result n times.
func (st *Step) results() json.RawMessage {
	p := st.parent
	var first domain.PlannerInput
	_ = json.Unmarshal(p.kids[0].Input, &first) // the machine wrote it
	in := domain.PlannerInput{Round: st.plannerRound(), Input: first.Input}
	if in.Round < 2 {
		return domain.Payload(in) // only a made-up history begins so
	}
	in.Carry = domain.CarryOf(p.kids[st.index-2].Output)
	for _, k := range p.kids[st.index-1].kids {
		r := domain.PlannedResult{Round: in.Round - 1, Step: k.Node.Name, Action: k.Node.Action.Name, Output: k.Output}
		if k.Phase == Ignored && k.Cause != nil {
			r.Failed = k.Cause.Message
		}
		in.Results = append(in.Results, r)
	}
	return domain.Payload(in)
}

// shortReport is the report without its large parts: the handler finds them in the run.
func (s *State) shortReport(about *Step) json.RawMessage {
	r := domain.FailureReport{Run: s.Run, Saga: s.Start.Saga, Version: s.Start.Version, State: s.Status(), Cause: s.Cause}
	if about != nil {
		r.Step, r.Cause = about.Path, about.Cause
	}
	return domain.Payload(r)
}

func (s *State) report(about *Step) json.RawMessage {
	r := domain.FailureReport{Run: s.Run, Saga: s.Start.Saga, Version: s.Start.Version, Input: s.Start.Input, State: s.Status(), Cause: s.Cause, NotUndone: s.effects()}
	if about != nil {
		r.Step, r.Cause, r.StepInput = about.Path, about.Cause, about.Input
	}
	s.Steps(func(st *Step) {
		if st.Phase == Undone && (st.Node.Kind == domain.KindDo || st.Node.Kind == domain.KindChild) {
			r.Undone = append(r.Undone, st.Path)
		}
	})
	return domain.Payload(r)
}

// given returns the input that the planner gave a planned step; nil for other steps.
func (st *Step) given() json.RawMessage {
	if p := st.parent; p != nil && p.parent != nil && p.parent.Node.Kind == domain.KindPlan && st.index < len(p.items) {
		return p.items[st.index]
	}
	return nil
}

// effects lists the steps whose effect stands or is in doubt.
func (s *State) effects() []string {
	left := append([]string(nil), s.Left...)
	s.Steps(func(st *Step) {
		stands := st.Phase == Done || st.UndoOpen()
		switch st.Node.Kind {
		case domain.KindDo:
			stands = st.Node.Action.Effect != domain.EffectNone && (stands || st.InDoubt || st.Do.Running)
		case domain.KindChild:
			stands = stands || st.Phase == Waiting || st.ChildState == domain.RunIsAbandoned
		default:
			stands = st.ByHand
		}
		if stands && !st.Handler && !st.Phase.settled() {
			left = append(left, st.Path)
		}
	})
	return left
}
