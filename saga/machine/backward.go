package machine

import "github.com/atonehq/atone/domain"

// irreversibleText says why an effect stays.
const irreversibleText = "its effect can't be undone: it is declared irreversible"

// defaultUndoWidth is how many siblings are undone at once where the plan sets no bound.
const defaultUndoWidth = 16

// turnBack turns a subtree back. What is in flight is awaited; what had, or may have had,
// an effect is undone, last first; then the subtree settles into its parent.
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
			// Its outcome is awaited first.
		case st.Unasked:
			s.askProbe(st) // there is no next attempt that would tell
		default:
			s.afterTurn(st)
		}
	case domain.KindChild:
		if st.Phase == Done && st.ChildState != domain.RunIsCompleted && (st.Child == domain.RunID{} || st.ChildState.Ended()) {
			s.settle(st, Left) // a person did the child's work, and no run of ours can undo it
			return
		}
		if st.ChildState == domain.RunIsAbandoned {
			s.settle(st, Left) // a person closed the child with its effects
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
	case st.Phase != Done && !st.InDoubt:
		s.settle(st, Untouched)
	case st.Node.Action.Effect == domain.EffectNone:
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

// turnAllBack turns the children of a parallel or each back: at once those under way, and
// within the undo width those that are done.
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
	s.set(st, end)
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
			s.fillUp(p)
			return
		}
		if st.counted {
			st.counted = false
			p.undoing--
		}
		s.pullUndo(p)
	}
}
