package machine

import (
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// giveUp forgets the attempts in flight; any outcome that they report from now on is late.
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
	t := st.Tries(e.Direction)
	if e.Direction == domain.Undo && st.undoAgain {
		st.newUndo()
	}
	if t.N == t.Base {
		t.First = at
	}
	t.N, t.Last, t.Due, t.RetryAt, t.Running, t.Node = e.Attempt, at, e.Due, time.Time{}, true, e.Node
	t.BeatDue, st.InForce = time.Time{}, e.InForce
	if hb := st.Policy().HeartbeatTimeout; hb > 0 && mustBeat(e.Direction) {
		t.BeatDue = at.Add(time.Duration(hb))
	}
	if len(e.Input) > 0 {
		st.Input = e.Input
	}
	switch e.Direction {
	case domain.Undo:
		s.set(st, Undoing)
	case domain.Probe:
		s.set(st, Probing)
	default:
		s.set(st, Running)
	}
}

// mustBeat reports whether an attempt of that direction is given up if its heartbeats stop. Undos
// and probes have their own timeouts; they may send heartbeats to leave details.
func mustBeat(dir domain.Direction) bool { return dir == domain.Do || dir == domain.Handler }

func (s *State) heartbeat(e *domain.AttemptHeartbeat) {
	st := s.steps[e.Step]
	if st == nil {
		return
	}
	t := st.Tries(e.Direction)
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
		return dir == st.forwardDirection() && st.Node.Kind == domain.KindDo
	case ProbeDue, ProbeBackoff:
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
	case Running, Backoff, ProbeDue, Probing, ProbeBackoff, Failed, Stuck:
		return dir == st.forwardDirection()
	case Ready: // a person granted more attempts
		return dir == st.forwardDirection() && st.Do.N > 0
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
	t := st.Tries(e.Direction)
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
	st.Output, st.Cause = e.Output, nil
	// A late success answers the probe's question.
	st.Probe.Running, st.Probe.RetryAt = false, time.Time{}
	st.certain()
	s.succeed(st)
}

// succeed marks a do as done and goes on, forward or backward.
func (s *State) succeed(st *Step) {
	if st.Turning {
		st.Phase = Done // afterTurn reads the phase, and sets the list itself
		s.afterTurn(st)
		return
	}
	if st.CantUndo() && !st.Handler {
		s.PastPivot, s.Cancel = true, nil
	}
	s.complete(st)
}

// certain ends the doubt: the step's effect is known.
func (st *Step) certain() { st.InDoubt, st.Unasked = false, false }

// failing reports whether an attempt of that direction is in flight.
func (st *Step) failing(dir domain.Direction) bool {
	switch st.Phase {
	case Running:
		return dir == st.forwardDirection()
	case Probing:
		return dir == domain.Probe
	case Undoing:
		return dir == domain.Undo
	}
	return false
}

func (s *State) attemptFailed(e *domain.AttemptFailed, at time.Time) {
	st := s.steps[e.Step]
	if st == nil || st.Node.Action == nil || !st.failing(e.Direction) {
		return
	}
	cause := e.Cause
	cause.InDoubt = cause.InDoubt && (st.doubts(e.Direction) || e.Direction == domain.Probe && st.doubts(domain.Do))
	t := st.Tries(e.Direction)
	t.Running, t.Cause, t.Failed, t.RetryAt = false, &cause, at, e.RetryAt
	if e.Uncounted {
		t.Uncounted++
	}
	switch e.Direction {
	case domain.Undo:
		s.undoFailed(st, e, cause)
	case domain.Probe:
		s.probeFailed(st, e, cause)
	default:
		s.doFailed(st, e, cause)
	}
}

// gaveUp notes an attempt that was given up and may still report.
func (t *Tries) gaveUp(e *domain.AttemptFailed) {
	if e.Cause.Kind == domain.FailureTimedOut || e.Cause.Kind == domain.FailureLost {
		t.GaveUp = append(t.GaveUp, e.Attempt)
	}
}

func (s *State) undoFailed(st *Step, e *domain.AttemptFailed, cause domain.Failure) {
	st.Undo.gaveUp(e)
	if e.RetryAt.IsZero() {
		st.Cause = &cause
		s.set(st, UndoFailed)
		return
	}
	s.set(st, UndoBackoff)
}

// probeFailed has the probe tried again. If no retry is set, the probe found an effect whose output
// can't be recorded, and the step fails. (A probe that used up its retries answers "unknown": see
// stepProbed.)
func (s *State) probeFailed(st *Step, e *domain.AttemptFailed, cause domain.Failure) {
	if !e.RetryAt.IsZero() {
		s.set(st, ProbeBackoff)
		return
	}
	st.InDoubt, st.Unasked = cause.InDoubt, false
	if st.Turning {
		s.notDone(st)
		return
	}
	s.fail(st, cause)
}

func (s *State) doFailed(st *Step, e *domain.AttemptFailed, cause domain.Failure) {
	st.Do.gaveUp(e)
	st.InDoubt = st.InDoubt || cause.InDoubt
	switch {
	case e.Probe:
		s.askProbe(st)
	case st.Turning:
		s.notDone(st)
	case !e.RetryAt.IsZero():
		st.Unasked = st.Unasked || cause.InDoubt && st.Node.Action.Probe
		s.set(st, Backoff)
	case st.Handler:
		st.Cause = &cause
		s.set(st, Ignored)
	default:
		s.fail(st, cause)
	}
}

// notDone goes on with a do that ended without success while it was being turned back.
func (s *State) notDone(st *Step) {
	st.Phase = Backoff // not done; afterTurn sets the list itself
	s.afterTurn(st)
}

func (s *State) stepProbed(e *domain.StepProbed, at time.Time) {
	st := s.steps[e.Step]
	if st == nil || st.Phase != Probing && st.Phase != ProbeDue && st.Phase != ProbeBackoff {
		return
	}
	st.Probe.Running, st.Probe.Cause, st.Probe.RetryAt = false, e.Cause, time.Time{}
	if e.Cause != nil {
		st.Probe.Failed = at
	}
	st.Unasked = false
	switch e.Verdict {
	case domain.Applied:
		st.Output, st.Cause = e.Output, nil
		st.certain()
		s.succeed(st)
		return
	case domain.NotApplied:
		st.certain()
	}
	switch {
	case st.Turning:
		s.notDone(st)
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
	st.Tries(e.Direction).reported(e.Attempt)
	if e.Direction == domain.Undo || e.Direction == domain.Probe {
		return // it is recorded; the attempt in flight decides
	}
	if e.Cause != nil && !e.Cause.InDoubt || !st.doubts(e.Direction) {
		return
	}
	if e.Cause == nil {
		st.Late = e.Output
	}
	// A late failure in doubt says nothing new of a step that is done.
	st.InDoubt = st.InDoubt || e.Cause == nil || st.Phase != Done
	s.index(st)
	if st.Node.Action.Effect != domain.EffectUndo {
		if e.Cause == nil && st.Phase == Untouched && st.Node.Accepted != "" {
			s.settle(st, Left) // as its author accepts
		}
		return
	}
	switch st.Phase {
	case Undone, Untouched:
		s.undoOnceMore(st)
	case Undoing, UndoBackoff, UndoFailed, UndoStuck:
		// The undo may yet turn out to have succeeded, before the effect came.
		st.undoAgain = true
	}
}

// undoOnceMore makes an undo owed again, because the effect may have come after the last one.
func (s *State) undoOnceMore(st *Step) {
	st.newUndo()
	s.set(st, UndoDue)
}

// newUndo begins another undo, with retries and a key of its own. With the last undo's key its
// attempts would be taken for repeats; a late success of the last undo says nothing of this one.
func (st *Step) newUndo() {
	st.undoAgain = false
	if st.Undo.N > 0 {
		st.Undos++
	}
	st.Undo.Base, st.Undo.Uncounted = st.Undo.N, 0
}

// UndoCause returns why the step is undone: the failure of its item, if an each goes on without
// that item, else why the run turned back.
func (s *State) UndoCause(st *Step) *domain.Failure {
	for ; st.parent != nil; st = st.parent {
		if st.parent.Node.Kind == domain.KindEach && st.Cause != nil {
			return st.Cause
		}
	}
	return s.Cause
}

// UndoKey returns the idempotency key of the undo that the step owes or last owed.
func (s *State) UndoKey(st *Step) string { return domain.UndoKey(s.Run, st.Path, 1+st.Undos) }
