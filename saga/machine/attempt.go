package machine

import (
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// tries returns the count of attempts of a direction. A handler's attempts count as do.
func (st *Step) tries(dir domain.Direction) *Tries {
	switch dir {
	case domain.Undo:
		return &st.Undo
	case domain.Probe:
		return &st.Probe
	}
	return &st.Do
}

// direction returns the direction of the step's attempts going forward.
func (st *Step) direction() domain.Direction {
	if st.Handler {
		return domain.Handler
	}
	return domain.Do
}

// giveUp forgets the attempts in flight; what they report from now on is late.
func (st *Step) giveUp() {
	for _, t := range [...]*Tries{&st.Do, &st.Undo} {
		if t.Running {
			t.GaveUp = append(t.GaveUp, t.N)
		}
	}
	st.Do.Running, st.Undo.Running, st.Probe.Running = false, false, false
}

// reported notes that an attempt, which may have been given up, told its outcome.
func (t *Tries) reported(attempt int) {
	t.GaveUp = slices.DeleteFunc(t.GaveUp, func(n int) bool { return n == attempt })
}

func (s *State) attemptStarted(e *domain.AttemptStarted, at time.Time) {
	st := s.steps[e.Step]
	if st == nil || !st.mayStart(e.Direction) {
		return
	}
	s.Blocked, s.BlockedAt = "", time.Time{}
	t := st.tries(e.Direction)
	if t.N == t.Base {
		t.First = at
	}
	t.N, t.Last, t.Due, t.RetryAt, t.Running, t.Node = e.Attempt, at, e.Due, time.Time{}, true, e.Node
	t.BeatDue = time.Time{}
	if hb := st.Node.Action.HeartbeatTimeout; hb > 0 && mustBeat(e.Direction) {
		t.BeatDue = at.Add(time.Duration(hb))
	}
	if len(e.Input) > 0 {
		st.Input = e.Input
	}
	switch e.Direction {
	case domain.Undo:
		st.undoAgain = false
		s.set(st, Undoing)
	case domain.Probe:
		s.set(st, Probing)
	default:
		s.set(st, Running)
	}
}

// mustBeat reports whether an attempt of that direction is given up for want of heartbeats. Undos and
// probes have their own timeouts, and may beat to leave details.
func mustBeat(dir domain.Direction) bool { return dir == domain.Do || dir == domain.Handler }

func (s *State) heartbeat(e *domain.AttemptHeartbeat) {
	st := s.steps[e.Step]
	if st == nil {
		return
	}
	t := st.tries(e.Direction)
	if !t.Running || t.N != e.Attempt {
		return
	}
	if mustBeat(e.Direction) {
		t.BeatDue = e.Due
		s.reschedule(st)
	}
	if len(e.Details) > 0 {
		t.Details = e.Details
	}
}

// mayStart reports whether the step owes an attempt of that direction.
func (st *Step) mayStart(dir domain.Direction) bool {
	if st.Node.Action == nil {
		return false
	}
	switch st.Phase {
	case Ready, Backoff:
		return dir == st.direction() && st.Node.Kind == domain.KindDo
	case ProbeDue:
		return dir == domain.Probe
	case UndoDue, UndoBackoff:
		return dir == domain.Undo
	}
	return false
}

// maySucceed reports whether a success of that direction, in time or late, is still to come.
func (st *Step) maySucceed(dir domain.Direction) bool {
	if st.Node.Action == nil {
		return false
	}
	switch st.Phase {
	case Running, Backoff, ProbeDue, Probing, Failed, Stuck:
		return dir == st.direction()
	case Ready: // granted more attempts after it was stuck
		return dir == st.direction() && st.Do.N > 0
	case Undoing, UndoBackoff, UndoFailed, UndoStuck:
		return dir == domain.Undo
	}
	return false
}

func (s *State) attemptSucceeded(e *domain.AttemptSucceeded) {
	st := s.steps[e.Step]
	if st == nil || !st.maySucceed(e.Direction) {
		return
	}
	t := st.tries(e.Direction)
	t.Running, t.RetryAt = false, time.Time{}
	t.reported(e.Attempt)
	if e.Direction == domain.Undo {
		if st.undoAgain {
			s.undoOnceMore(st)
			return
		}
		s.settle(st, Undone)
		return
	}
	st.Output, st.InDoubt, st.Cause = e.Output, false, nil
	st.Probe.Running = false // a success that comes late answers what a probe in flight was to find out
	s.succeed(st)
}

// succeed marks a do as done and goes on, forward or backward.
func (s *State) succeed(st *Step) {
	if st.Turning {
		st.Phase = Done // afterTurn asks for it; it moves the step on to its list itself
		s.afterTurn(st)
		return
	}
	if st.Node.Action != nil && st.Node.Action.Effect == domain.EffectIrreversible && st.Node.Accepted == "" && !st.Handler {
		s.PastPivot, s.Cancel = true, nil
	}
	s.complete(st)
}

func (s *State) attemptFailed(e *domain.AttemptFailed) {
	st := s.steps[e.Step]
	if st == nil || !(st.Phase == Running && e.Direction == st.direction() || st.Phase == Undoing && e.Direction == domain.Undo) || st.Node.Action == nil {
		return
	}
	t := st.tries(e.Direction)
	t.Running, t.Cause, t.RetryAt = false, &e.Cause, e.RetryAt
	if e.Cause.Kind == domain.FailureTimedOut || e.Cause.Kind == domain.FailureLost {
		t.GaveUp = append(t.GaveUp, e.Attempt)
	}
	if e.Direction == domain.Undo {
		if e.RetryAt.IsZero() {
			st.Cause = &e.Cause
			s.set(st, UndoFailed)
		} else {
			s.set(st, UndoBackoff)
		}
		return
	}
	st.InDoubt = st.InDoubt || e.Cause.InDoubt
	switch {
	case e.Probe:
		s.set(st, ProbeDue)
	case st.Turning:
		st.Phase = Backoff // not done
		s.afterTurn(st)
	case !e.RetryAt.IsZero():
		s.set(st, Backoff)
	case st.Handler:
		st.Cause = &e.Cause
		s.set(st, Ignored)
	default:
		s.fail(st, e.Cause)
	}
}

func (s *State) stepProbed(e *domain.StepProbed) {
	st := s.steps[e.Step]
	if st == nil || st.Phase != Probing && st.Phase != ProbeDue {
		return
	}
	st.Probe.Running = false
	switch e.Verdict {
	case domain.Applied:
		st.Output, st.InDoubt, st.Cause = e.Output, false, nil
		s.succeed(st)
		return
	case domain.NotApplied:
		st.InDoubt = false
	}
	switch {
	case st.Turning:
		st.Phase = Backoff
		s.afterTurn(st)
	case !e.RetryAt.IsZero():
		st.Do.RetryAt = e.RetryAt
		s.set(st, Backoff)
	default:
		cause := domain.Failure{Kind: domain.FailurePermanent, Step: st.Path, Message: "attempt in doubt, and no attempts left", InDoubt: st.InDoubt}
		if st.Do.Cause != nil {
			cause = *st.Do.Cause
			cause.InDoubt = st.InDoubt
		}
		s.fail(st, cause)
	}
}

func (s *State) outcomeLate(e *domain.OutcomeLate) {
	st := s.steps[e.Step]
	if st == nil {
		return
	}
	st.tries(e.Direction).reported(e.Attempt)
	if e.Direction == domain.Undo {
		return // recorded; the attempt in flight decides
	}
	if e.Cause != nil && !e.Cause.InDoubt {
		return
	}
	st.InDoubt = true
	if e.Cause == nil {
		st.Late = e.Output
	}
	if st.Node.Action == nil || st.Node.Action.Effect != domain.EffectUndo {
		return
	}
	switch st.Phase {
	case Undone, Untouched:
		s.undoOnceMore(st)
	case Undoing, UndoBackoff, UndoFailed, UndoStuck: // the undo may yet turn out to have succeeded, before the effect came
		st.undoAgain = true
	}
}

// undoOnceMore makes an undo owed again, because the effect may have come after the last one.
func (s *State) undoOnceMore(st *Step) {
	st.undoAgain = false
	st.Undo.Base = st.Undo.N
	s.set(st, UndoDue)
}

// UndoCause returns why the step is undone: the failure of the item that it belongs to, where an each does without
// it, else why the run turned back.
func (s *State) UndoCause(st *Step) *domain.Failure {
	for ; st.parent != nil; st = st.parent {
		if st.parent.Node.Kind == domain.KindEach && st.Cause != nil {
			return st.Cause
		}
	}
	return s.Cause
}
