package judge

import (
	"slices"

	"github.com/atonehq/atone/domain"
)

// mayStart holds the start of an attempt to the rules.
func (r *Run) mayStart(st *Step, e *domain.AttemptStarted) {
	a := st.place.action
	r.rule(a != nil && a.Name == e.Action, "step %s does not call action %s", st.Path, e.Action)
	r.rule(e.Attempt == st.Started[e.Direction]+1, "attempt %d (%s) of %s follows attempt %d", e.Attempt, e.Direction, st.Path, st.Started[e.Direction])
	r.rule(len(st.Flying) == 0, "step %s has an attempt in flight: %v", st.Path, st.Flying)
	r.rule(!r.Paused, "a paused run starts nothing")
	r.rule(st.Incident == "", "step %s is stuck, and a person decides", st.Path)
	r.rule(!r.at.Before(st.retryAt[e.Direction]), "step %s is tried again at %s", st.Path, st.retryAt[e.Direction])
	switch e.Direction {
	case domain.Undo:
		r.mayUndo(st)
	case domain.Probe:
		r.rule(a != nil && a.Probe && st.Started[domain.Do] > 0 && r.end == "", "step %s has nothing to probe", st.Path)
	case domain.Handler:
		r.rule(st.place.handler && st.Forward == "", "step %s is no failure handler that is due", st.Path)
	default:
		r.rule(st.Started[domain.Do] == 0 || !st.retryAt[domain.Do].IsZero() || st.given, "step %s is tried again, but nothing says so", st.Path)
		r.mayGoOn(st)
	}
}

// mayGoOn holds an event that takes a step forward to the rules.
func (r *Run) mayGoOn(st *Step) {
	r.rule(r.end == "", "step %s goes forward after the run's end", st.Path)
	r.rule(!r.back(st), "step %s goes forward, but it is being turned back", st.Path)
	r.rule(st.Forward == "", "step %s goes forward, but it is %s", st.Path, st.Forward)
	for _, l := range st.place.links {
		r.mayEnter(st, l)
	}
}

// mayEnter requires that a step was reached by the way of a link.
func (r *Run) mayEnter(st *Step, l link) {
	in := r.steps[l.path]
	switch l.in.Kind {
	case domain.KindSequence:
		for _, c := range l.in.Children[:l.child] {
			r.rule(r.complete(c, l.prefix), "step %s goes forward before %s, which comes before it, is done", st.Path, c.Name)
		}
	case domain.KindSwitch:
		r.rule(in != nil && in.branch != nil && *in.branch == l.child, "step %s is in a branch that was not chosen", st.Path)
	case domain.KindEach:
		r.rule(in != nil && in.listed && l.child < in.items, "step %s is of an item that was not listed", st.Path)
	case domain.KindPlan:
		r.rule(l.child/2 <= len(r.rounds[l.path]), "step %s is of a round that was not planned", st.Path)
		if l.child%2 == 0 && l.child > 0 {
			round := r.rounds[l.path][l.child/2-1]
			r.rule(r.complete(round, roundPrefix(l.path, l.child/2)), "step %s plans before round %d is done", st.Path, l.child/2)
		}
	}
}

// mayUndo holds an undo to the rules: it is owed, and everything that came after is undone.
func (r *Run) mayUndo(st *Step) {
	a := st.place.action
	r.rule(a == nil && st.child != domain.RunID{} || a != nil && a.Effect == domain.EffectUndo, "step %s has no undo", st.Path)
	r.rule(r.back(st), "step %s is undone, but it is not turned back", st.Path)
	if a != nil {
		r.rule(st.Effect != NoEffect || st.Started[domain.Undo] > 0, "step %s is undone, but it has no effect", st.Path)
	}
	if st.revived {
		return // its turn is over: it is undone once more
	}
	for _, other := range r.order {
		if other == st || other.revived || other.place.handler || !after(st, other) {
			continue
		}
		r.rule(len(other.Flying) == 0, "step %s is undone while %s, which came after it, has an attempt in flight", st.Path, other.Path)
		r.rule(!other.owesUndo(), "step %s is undone before %s, which came after it", st.Path, other.Path)
	}
}

// owesUndo reports whether the effect of a step that is turned back is still to be seen to.
func (st *Step) owesUndo() bool {
	return st.Effect != NoEffect && !st.undone && !st.Left && !st.accepted()
}

// accepted reports whether the author accepts that the step's effect may be left behind.
func (st *Step) accepted() bool {
	return st.place.node.Accepted != "" && st.place.action != nil && st.place.action.Effect == domain.EffectIrreversible
}

// mayTurnBack holds the turn to backward recovery to the rules.
func (r *Run) mayTurnBack() {
	r.rule(r.end == "" || r.end == domain.RunIsCompleted, "a run that ended %s does not turn back", r.end)
	r.rule(!r.TurnedBack, "a run turns back once")
	r.rule(!r.PastPivot, "a run that is past its pivot does not turn back")
}

// mayComplete requires that everything is done that the plan wants.
func (r *Run) mayComplete() {
	r.rule(r.end == "", "a run ends once")
	if r.ended == domain.RunIsCompleted {
		return
	}
	r.rule(!r.TurnedBack, "a run that turned back does not complete")
	r.rule(r.complete(r.plan.Root, ""), "the run completes, but not all of its plan is done")
	r.nothingMoves()
}

// mayEndUndone requires that no effect is left that nobody answers for.
func (r *Run) mayEndUndone(left []string, cancelled bool) {
	r.rule(r.end == "", "a run ends once")
	r.rule(r.TurnedBack, "the run ends undone, but it did not turn back")
	r.rule(cancelled == (r.cause.Kind == domain.FailureCancelled), "the run turned back because it %s", r.cause.Message)
	r.nothingMoves()
	for _, st := range r.order {
		if st.place.handler {
			continue
		}
		r.rule(!st.owesUndo(), "the run ends undone, but the effect of %s is %s", st.Path, st.Effect)
		if st.accepted() && st.Effect == InPlace {
			r.rule(slices.Contains(left, st.Path), "the run ends, and does not say that the effect of %s is left", st.Path)
		}
		r.rule(!st.Left || slices.Contains(left, st.Path), "the run ends, and does not say that %s is left", st.Path)
	}
}

// mayAbandon requires that an abandoned run tells the effects that are in place.
func (r *Run) mayAbandon(left []string) {
	for _, st := range r.order {
		if !st.place.handler && (st.Effect == InPlace && !st.undone || st.byHand) {
			r.rule(slices.Contains(left, st.Path), "the run is abandoned, and does not say that the effect of %s is left", st.Path)
		}
	}
}

// nothingMoves requires that no attempt is in flight, and that nothing waits.
func (r *Run) nothingMoves() {
	for _, st := range r.order {
		if st.place.handler {
			continue
		}
		r.rule(len(st.Flying) == 0, "the run ends while %s has an attempt in flight: %v", st.Path, st.Flying)
		r.rule(st.Waits == "", "the run ends while %s waits for its %s", st.Path, st.Waits)
		r.rule(st.Incident == "", "the run ends while %s is stuck", st.Path)
	}
}
