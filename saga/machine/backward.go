package machine

import (
	"time"

	"github.com/atonehq/atone/domain"
)

// irreversibleText says why an effect stays.
const irreversibleText = "its effect can't be undone: it is declared irreversible"

// defaultUndoWidth is how many siblings are undone at once if the plan sets no bound.
const defaultUndoWidth = 16

// turnBack turns a subtree back. It waits for attempts in flight; steps that had or may have had an
// effect are undone, last first; then the subtree settles into its parent.
func (s *State) turnBack(st *Step) {
	st.Turning = true
	switch st.Node.Kind {
	case domain.KindSequence, domain.KindPlan:
		if st.on != nil {
			s.set(st, Active)
		}
		if len(st.kids) == 0 {
			s.settle(st, Untouched)
			return
		}
		s.turnBack(st.kids[len(st.kids)-1])
	case domain.KindParallel, domain.KindEach:
		s.turnAllBack(st)
	case domain.KindSwitch:
		if len(st.kids) == 0 {
			s.settle(st, Untouched)
			return
		}
		s.turnBack(st.kids[0])
	case domain.KindDo:
		switch {
		case st.Phase == Running || st.Phase == Probing || st.Phase == ProbeDue || st.Phase == ProbeBackoff:
			// Wait for its outcome first.
		case st.Unasked:
			s.askProbe(st) // no later attempt will answer
		default:
			s.afterTurn(st)
		}
	case domain.KindChild:
		byHand := st.Phase == Done && st.ChildState != domain.RunIsCompleted && (st.Child == domain.RunID{} || st.ChildState.Ended())
		if byHand || st.ChildState == domain.RunIsAbandoned {
			s.settle(st, Left) // a person did the child's work, or closed it: no run undoes that
			return
		}
		if st.Phase == Waiting || st.Phase == Done || st.Phase == Stuck && st.ChildState != "" && !st.ChildState.Ended() {
			s.set(st, UndoDue)
			return
		}
		s.settle(st, Untouched)
	default:
		s.settle(st, Untouched)
	}
}

// afterTurn settles a turned-back do that has nothing in flight, or makes its undo owed.
func (s *State) afterTurn(st *Step) {
	switch {
	case st.Phase != Done && !st.InDoubt, st.Node.Action.Effect == domain.EffectNone:
		s.settle(st, Untouched)
	case st.Node.Action.Effect == domain.EffectUndo:
		s.set(st, UndoDue)
	case st.Node.Accepted != "":
		s.settle(st, Left)
	default:
		st.Cause = &domain.Failure{Kind: domain.FailurePermanent, Step: st.Path, InDoubt: st.Phase != Done,
			Message: irreversibleText}
		s.set(st, UndoFailed)
	}
}

// turnAllBack turns back the children of a parallel or each: those under way at once, those that
// are done within the undo width.
func (s *State) turnAllBack(p *Step) {
	p.open, p.undoAt = 0, len(p.kids)-1
	var moving []*Step
	for _, k := range p.kids {
		if k == nil || k.Phase.settled() {
			continue
		}
		p.open++
		if k.Phase != Done && k.Phase != Skipped && !k.Turning {
			moving = append(moving, k)
		}
	}
	s.set(p, Active)
	if p.open == 0 {
		s.settle(p, Untouched)
		return
	}
	p.pulling = true
	for i := len(moving) - 1; i >= 0; i-- {
		s.turnBack(moving[i])
	}
	p.pulling = false
	s.pullUndo(p)
}

// pullUndo turns done children back, last first, until the width is used up.
func (s *State) pullUndo(p *Step) {
	if p.pulling {
		return
	}
	width := p.Node.Concurrency
	if width == 0 {
		width = defaultUndoWidth
	}
	p.pulling = true
	for ; p.undoAt >= 0 && p.undoing < width; p.undoAt-- {
		k := p.kids[p.undoAt]
		if k != nil && !k.Turning && !k.Phase.settled() {
			p.undoing++
			k.counted = true
			s.turnBack(k)
		}
	}
	p.pulling = false
	if p.open == 0 && p.undoAt < 0 && !p.Phase.settled() {
		s.settle(p, Undone)
	}
}

// settle finishes with a turned-back step and goes on with its parent.
func (s *State) settle(st *Step, end Phase) {
	if st.ByHand {
		end = Left // nothing takes back what a person did
	}
	s.set(st, end)
	st.Retried = ""
	if end == Left {
		s.Left = append(s.Left, st.Path)
	}
	if st.settledOnce {
		return // undone once more after a late success: its parent has gone on
	}
	st.settledOnce = true
	p := st.parent
	if p == nil {
		s.finish = true
		return
	}
	switch p.Node.Kind {
	case domain.KindSequence, domain.KindPlan:
		if !p.Turning {
			return
		}
		if st.index > 0 {
			s.turnBack(p.kids[st.index-1])
			return
		}
		s.settle(p, Undone)
	case domain.KindSwitch:
		s.settle(p, Undone)
	case domain.KindParallel, domain.KindEach:
		p.open--
		if !p.Turning { // an item that failed within the tolerated number
			s.fillUp(p) // up: the next item takes the place of the failed one
			return
		}
		if st.counted {
			st.counted = false
			p.undoing--
		}
		s.pullUndo(p)
	}
}

// askProbe makes a probe owed, with a set of attempts of its own.
func (s *State) askProbe(st *Step) {
	st.Probe.Base, st.Probe.Uncounted, st.Probe.RetryAt = st.Probe.N, 0, time.Time{}
	s.set(st, ProbeDue)
}
