package machine

import (
	"github.com/atonehq/atone/domain"
)

// enter begins a step going forward.
func (s *State) enter(st *Step) {
	switch st.Node.Kind {
	case domain.KindSequence:
		s.set(st, Active)
		s.advance(st)
	case domain.KindParallel:
		s.set(st, Active)
		st.kids = make([]*Step, len(st.Node.Children))
		if len(st.kids) == 0 {
			s.complete(st)
			return
		}
		s.fillUp(st)
	case domain.KindPlan:
		s.set(st, Active)
		s.nextRound(st)
	default:
		s.set(st, Ready)
	}
}

// advance enters the next child of a sequence, or completes it.
func (s *State) advance(seq *Step) {
	if seq.next == len(seq.Node.Children) {
		s.complete(seq)
		return
	}
	k := s.newStep(seq.Node.Children[seq.next], seq, seq.scope, seq.next)
	seq.kids = append(seq.kids, k)
	seq.next++
	s.enter(k)
}

// fillUp enters children of a parallel or each until its bound is reached.
func (s *State) fillUp(p *Step) {
	if p.pulling {
		return // a child completed while it was entered: the loop below goes on
	}
	p.pulling = true
	for p.next < len(p.kids) && (p.Node.Concurrency == 0 || p.open < p.Node.Concurrency) {
		i := p.next
		p.next++
		p.open++
		sc, node := p.scope, p.Node.Children[0]
		if p.Node.Kind == domain.KindEach {
			sc = p.inner(i, p.items[i])
		} else {
			node = p.Node.Children[i]
		}
		p.kids[i] = s.newStep(node, p, sc, i)
		s.enter(p.kids[i])
	}
	p.pulling = false
	if p.next == len(p.kids) && p.open == 0 && p.Phase == Active {
		s.complete(p)
	}
}

// nextRound enters the planner of a plan node's next round.
func (s *State) nextRound(p *Step) {
	round := len(p.kids)/2 + 1
	node := s.plannerNode(p)
	sc := p.inner(round, p.scope.item)
	k := s.newStep(node, p, sc, len(p.kids))
	p.kids = append(p.kids, k)
	s.enter(k)
}

// complete records that a step is done and goes on with its parent.
func (s *State) complete(st *Step) {
	if st.Node.Kind == domain.KindSequence && st.Node.Result != "" {
		if r := s.steps[st.scope.prefix+st.Node.Result]; r != nil {
			st.Output = r.Output
		}
	}
	if st.Node.Kind == domain.KindEach {
		st.Output = collect(st)
	}
	s.goOn(st, Done)
}

// goOn leaves a step in an end phase going forward and continues its parent.
func (s *State) goOn(st *Step, end Phase) {
	s.set(st, end)
	if st.Handler {
		return
	}
	p := st.parent
	if p == nil {
		s.finish = true
		return
	}
	switch p.Node.Kind {
	case domain.KindSequence:
		s.advance(p)
	case domain.KindParallel, domain.KindEach:
		p.open--
		s.fillUp(p)
	case domain.KindSwitch:
		s.complete(p)
	case domain.KindPlan:
		if st.index%2 == 0 {
			s.set(p, Ready) // expand the planner's answer
		} else {
			s.nextRound(p)
		}
	}
}

// fail records that a step failed for good. What follows is decided from the todo list.
func (s *State) fail(st *Step, cause domain.Failure) {
	st.Cause = &cause
	if st.Turning {
		s.afterTurn(st)
		return
	}
	if st.Handler {
		s.set(st, Ignored)
		return
	}
	s.set(st, Failed)
	if st.Node.Action != nil && st.Node.Action.OnFailure != nil {
		s.addHandler(st, st.Path+"/"+domain.HandlerStep, st.Node.Action.OnFailure)
	}
}

// addHandler makes a failure handler owed, once for each step and for the run.
func (s *State) addHandler(about *Step, path string, spec *domain.ActionSpec) {
	if s.steps[path] != nil {
		return
	}
	s.set(s.newHandler(about, path, spec), Ready)
}
