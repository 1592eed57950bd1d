package machine

import (
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// Evolve folds one event into the state and returns it. It is total: an event that does not fit the
// state, as only a damaged or hand-made history has, changes only the revision. It consumes s: use
// the result instead, as with append.
func Evolve(s *State, f domain.Fact) *State {
	s.Revision = int64(f.Revision)
	at := f.Meta.At
	s.Reckon(f.Meta.Clock)
	switch e := f.Event.(type) {
	case *domain.RunStarted:
		s.begin(e, f.Meta)
	case *domain.AttemptStarted:
		s.attemptStarted(e, at)
	case *domain.AttemptSucceeded:
		s.attemptSucceeded(e)
	case *domain.AttemptFailed:
		s.attemptFailed(e, at)
	case *domain.AttemptHeartbeat:
		s.heartbeat(e)
	case *domain.OutcomeLate:
		s.outcomeLate(e)
	case *domain.StepProbed:
		s.stepProbed(e, at)
	default:
		s.evolveRun(e, at)
		s.evolveStep(e, at)
	}
	return s
}

func (s *State) begin(e *domain.RunStarted, m domain.Meta) {
	if s.root != nil {
		return
	}
	s.Start, s.StartedAt, s.Actor = *e, m.At, m.Actor
	s.Correlation, s.Trace = m.CorrelationID, m.Trace
	s.root = s.newStep(s.Plan.Root, nil, &scope{}, 0)
	s.enter(s.root)
}

// evolveRun folds the events of the run as a whole.
func (s *State) evolveRun(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case *domain.RunCompleted:
		s.end(domain.RunIsCompleted, at)
		s.Output = e.Output
	case *domain.RunTurnedBack:
		s.runTurnedBack(e)
	case *domain.CancelRequested:
		s.Cancel = &e.Cause
	case *domain.RunCompensated:
		s.end(domain.RunIsCompensated, at)
	case *domain.RunCancelled:
		s.end(domain.RunIsCancelled, at)
	case *domain.RunAbandoned:
		s.Left, s.AbandonReason = e.Left, e.Reason
		s.end(domain.RunIsAbandoned, at)
	case *domain.RunStuck:
		s.Incidents++
		s.on(e.Step, func(st *Step) { s.getStuck(st, e) })
	case *domain.RunPaused:
		s.Paused, s.PauseReason = true, e.Reason
	case *domain.RunResumed:
		s.Paused, s.PauseReason = false, ""
	case *domain.RunBlocked:
		s.Blocked, s.BlockedAt = e.Reason, at
	case *domain.SignalReceived:
		s.see(e.ID)
		s.signals = append(s.signals, Kept{Name: e.Signal, ID: e.ID, Value: e.Value, At: at})
	}
}

func (s *State) runTurnedBack(e *domain.RunTurnedBack) {
	if s.root == nil || s.Turning || s.End != "" && s.End != domain.RunIsCompleted {
		return
	}
	s.Turning, s.Cause, s.Cancel = true, &e.Cause, nil
	// A parent may turn back a child that has ended.
	s.End, s.EndedAt, s.Was, s.Output, s.finish = "", time.Time{}, "", nil, false
	s.turnBack(s.root)
}

// end closes the run. From now on it owes only failure handlers and late undos.
func (s *State) end(state domain.RunState, at time.Time) {
	if s.root == nil || s.End != "" || state != domain.RunIsAbandoned && !s.finish {
		return
	}
	s.End, s.EndedAt, s.Was, s.finish = state, at, "", false
	if state == domain.RunIsAbandoned {
		s.unparkAll()
		for _, l := range []*list{&s.todo, &s.watch} {
			for st := l.head; st != nil; {
				next := st.nxt
				if !st.Handler {
					st.giveUp()
					s.set(st, Left)
				}
				st = next
			}
		}
	}
	if s.Plan.OnFailure != nil && (state == domain.RunIsCompensated || state == domain.RunIsAbandoned) {
		s.addHandler(nil, domain.HandlerStep, s.Plan.OnFailure)
	}
}

// getStuck makes a step wait for a person. A run that had ended is open again.
func (s *State) getStuck(st *Step, e *domain.RunStuck) {
	switch {
	case st.Phase == UndoFailed:
		s.set(st, UndoStuck)
	case st.Phase == Untouched && st.CantUndo(): // its success came late
		st.Cause = &e.Cause
		s.set(st, UndoStuck)
	case st.Phase == Failed:
		s.set(st, Stuck)
	default:
		return
	}
	st.Incident = e.Incident
	if e.After != "" && s.End != "" {
		s.Was, s.End, s.EndedAt, s.finish = s.End, "", time.Time{}, true
	}
}

// evolveStep folds the events of a step other than its attempts.
func (s *State) evolveStep(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case *domain.StepFailed:
		s.on(e.Step, func(st *Step) { s.stepFailed(st, e.Cause, at) })
	case *domain.StepIgnored:
		s.at(e.Step, "", Failed, func(st *Step) { s.goOn(st, Ignored) })
	case *domain.ItemFailed:
		s.at(e.Step, domain.KindEach, Active, func(st *Step) { s.itemFailed(st, e) })
	case *domain.StepRetried:
		s.on(e.Step, func(st *Step) { s.retried(st, e.Direction) })
	case *domain.StepResolved:
		s.on(e.Step, func(st *Step) { s.resolved(st, e) })
	case *domain.BranchChosen:
		s.at(e.Step, domain.KindSwitch, Ready, func(st *Step) { s.chosen(st, e.Branch) })
	case *domain.ItemsListed:
		s.at(e.Step, domain.KindEach, Ready, func(st *Step) { s.itemsListed(st, e) })
	case *domain.ValueComputed:
		s.at(e.Step, domain.KindCompute, Ready, func(st *Step) { st.Output = e.Value; s.complete(st) })
	case *domain.StepsPlanned:
		s.at(e.Step, domain.KindPlan, Ready, func(st *Step) { s.planned(st, e) })
	case *domain.PivotPassed:
		s.at(e.Step, domain.KindPivot, Ready, func(st *Step) { s.PastPivot, s.Cancel = true, nil; s.complete(st) })
	case *domain.TimerSet:
		s.at(e.Step, domain.KindSleep, Ready, func(st *Step) { st.Due, st.Instant = e.Due, e.For == 0; s.set(st, Waiting) })
	case *domain.TimerFired:
		s.at(e.Step, domain.KindSleep, Waiting, s.complete)
	case *domain.AwaitOpened:
		s.at(e.Step, domain.KindAwait, Ready, func(st *Step) {
			st.Signal, st.Event, st.Correlation, st.Due = e.Signal, e.Event, e.Correlation, e.Due
			s.set(st, Waiting)
		})
	case *domain.AwaitMet:
		s.at(e.Step, domain.KindAwait, Waiting, func(st *Step) { s.awaitMet(st, e) })
	case *domain.ChildStarted:
		s.at(e.Step, domain.KindChild, Ready, func(st *Step) {
			st.Input, st.Child, st.ChildState = e.Input, e.Run, domain.RunRunning
			st.Do.N++
			s.set(st, Waiting)
		})
	case *domain.ChildTurnedBack:
		s.at(e.Step, domain.KindChild, UndoDue, func(st *Step) { s.set(st, Undoing) })
	case *domain.ChildEnded:
		s.on(e.Step, func(st *Step) { s.childEnded(st, e, at) })
	}
}

// at calls f with the step that an event names, if the run has it and it is of that kind ("" for
// any) and in that phase. An event that does not fit changes nothing.
func (s *State) at(path string, kind domain.Kind, phase Phase, f func(*Step)) {
	if st := s.steps[path]; st != nil && st.Phase == phase && (kind == "" || st.Node.Kind == kind) {
		f(st)
	}
}

// on calls f with the step that an event names, if the run has it.
func (s *State) on(path string, f func(*Step)) {
	if st := s.steps[path]; st != nil {
		f(st)
	}
}

func (s *State) stepFailed(st *Step, cause domain.Failure, at time.Time) {
	st.Tries(st.Direction()).Failed = at
	switch {
	case st.Phase == Undoing && st.Node.Kind == domain.KindChild:
		st.Cause = &cause // the child can't be undone
		s.set(st, UndoFailed)
	case st.Phase == Ready || st.Phase == Waiting:
		s.fail(st, cause)
	}
}

func (s *State) itemFailed(st *Step, e *domain.ItemFailed) {
	if e.Item < 0 || e.Item >= len(st.kids) || st.kids[e.Item] == nil || st.kids[e.Item].Turning || st.Turning {
		return
	}
	st.failures++
	st.kids[e.Item].Cause = &e.Cause
	s.turnBack(st.kids[e.Item])
}

func (s *State) retried(st *Step, dir domain.Direction) {
	if !st.stuckIn(dir) {
		return
	}
	s.Blocked, s.BlockedAt = "", time.Time{}
	t := st.Tries(dir)
	t.Base, t.Uncounted, st.Retried, st.RetriedIn = t.N, 0, st.Incident, dir
	switch {
	case dir != domain.Undo:
		st.Cause = nil
		s.set(st, Ready)
	case st.Node.Action != nil && st.Node.Action.Effect != domain.EffectUndo:
		s.set(st, UndoFailed) // there is no undo to retry: a person must resolve it
	default:
		s.set(st, UndoDue)
	}
}

// stuckIn reports whether the step needs a person in that direction.
func (st *Step) stuckIn(dir domain.Direction) bool {
	return st.Phase == Stuck && dir == st.forwardDirection() || st.Phase == UndoStuck && dir == domain.Undo
}

func (s *State) resolved(st *Step, e *domain.StepResolved) {
	switch {
	case !st.stuckIn(e.Direction):
	case e.Direction == domain.Undo:
		s.settle(st, Left)
	case e.How == domain.ResolveSubstitute:
		st.InDoubt, st.Cause, st.Output = false, nil, e.Output
		st.ByHand = len(st.Node.Children) > 0 || st.Node.Kind == domain.KindPlan
		s.succeed(st)
	default:
		st.InDoubt, st.Cause = false, nil
		s.goOn(st, Skipped)
	}
}

func (s *State) chosen(st *Step, branch int) {
	if branch < 0 || branch >= len(st.Node.Children) {
		s.complete(st)
		return
	}
	s.set(st, Active)
	k := s.newStep(st.Node.Children[branch], st, st.scope, branch)
	st.kids = []*Step{k}
	s.enter(k)
}

func (s *State) itemsListed(st *Step, e *domain.ItemsListed) {
	if e.Offset == 0 {
		st.items = nil
	}
	if e.Offset != len(st.items) {
		return
	}
	st.items = append(st.items, e.Items...)
	if !e.Last {
		return
	}
	st.listed = true
	st.kids = make([]*Step, len(st.items))
	s.set(st, Active)
	if len(st.kids) == 0 {
		s.complete(st)
		return
	}
	s.fillUp(st)
}

func (s *State) planned(st *Step, e *domain.StepsPlanned) {
	if e.Done || e.Steps == nil {
		st.Output = e.Output
		s.complete(st)
		return
	}
	if !e.Steps.IsRound() {
		return
	}
	s.set(st, Active)
	planner := st.kids[len(st.kids)-1]
	e.Steps.IndexUnder(st.Node.Key + "/*/")
	k := s.newStep(e.Steps, st, planner.scope, len(st.kids))
	st.kids = append(st.kids, k)
	k.items = e.Inputs
	s.enter(k)
}

// see remembers the id of a signal or event, so that it counts once.
func (s *State) see(id string) {
	if s.seen == nil {
		s.seen = make(map[string]bool)
	}
	s.seen[id] = true
}

func (s *State) awaitMet(st *Step, e *domain.AwaitMet) {
	st.Output = e.Value
	if st.Event != "" {
		s.see(e.By)
	}
	s.signals = slices.DeleteFunc(s.signals, func(g Kept) bool { return g.ID == e.By && g.Name == st.Signal })
	s.complete(st)
}

func (s *State) childEnded(st *Step, e *domain.ChildEnded, at time.Time) {
	if st.Node.Kind != domain.KindChild || st.Phase != Waiting && st.Phase != Undoing {
		return
	}
	st.ChildState = e.State
	if st.Phase == Undoing {
		if e.State == domain.RunIsAbandoned {
			s.settle(st, Left)
		} else {
			s.settle(st, Undone)
		}
		return
	}
	if e.State == domain.RunIsCompleted {
		st.Output = e.Output
		if st.Node.NoReturn {
			s.PastPivot, s.Cancel = true, nil
		}
		s.complete(st)
		return
	}
	cause := domain.Failure{Kind: domain.FailurePermanent, Step: st.Path, Message: "child run " + e.Run.String() + " ended " + string(e.State)}
	if e.Cause != nil {
		cause.Message += ": " + e.Cause.String()
	}
	st.Do.Failed = at
	s.fail(st, cause)
}
