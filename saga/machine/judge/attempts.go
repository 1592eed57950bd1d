package judge

import (
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// ofAttempt reads the events of attempts.
func (r *Run) ofAttempt(e domain.Event) {
	switch e := e.(type) {
	case *domain.AttemptStarted:
		r.attemptStarted(e)
	case *domain.AttemptSucceeded:
		r.succeeded(e)
	case *domain.AttemptFailed:
		r.attemptFailed(e)
	case *domain.AttemptHeartbeat:
		r.rule(r.step(e.Step).Flying[e.Direction] == e.Attempt, "attempt %d (%s) of %s, which beats, is not in flight", e.Attempt, e.Direction, e.Step)
	case *domain.OutcomeLate:
		r.late(e)
	case *domain.StepProbed:
		r.probed(e)
	}
}

func (r *Run) attemptStarted(e *domain.AttemptStarted) {
	st := r.step(e.Step)
	r.mayStart(st, e)
	st.Started[e.Direction], st.Flying[e.Direction] = e.Attempt, e.Attempt
	st.given, st.failed = false, false
	clear(st.retryAt)
}

func (r *Run) succeeded(e *domain.AttemptSucceeded) {
	st := r.step(e.Step)
	r.tells(st, e.Direction, e.Attempt)
	delete(st.Flying, e.Direction)
	clear(st.retryAt)
	if e.Direction == domain.Undo {
		st.failed = false
		if e.Attempt > st.missed {
			st.Effect, st.undone = NoEffect, true
		}
		if st.StuckIn == domain.Undo {
			st.Incident = ""
		}
		return
	}
	delete(st.Flying, domain.Probe)
	r.takesEffect(st)
	r.done(st, e.Output)
	r.cannotReturn(st)
}

// takesEffect notes that the do of a step took effect, if it has one.
func (r *Run) takesEffect(st *Step) {
	if st.lasts() {
		st.Effect, st.undone = InPlace, false
	}
}

// cannotReturn notes that a step which is done can't be undone: the run only goes forward now.
func (r *Run) cannotReturn(st *Step) {
	n := st.place.node
	if !r.back(st) && !st.place.handler && (st.irreversible() || n.Kind == domain.KindChild && n.NoReturn && st.childIs == domain.RunIsCompleted) {
		r.PastPivot, r.cancel = true, false
	}
}

// lasts reports whether a do of the step may leave something behind.
func (st *Step) lasts() bool {
	a := st.place.action
	return a == nil && st.place.node.Kind == domain.KindChild || a != nil && a.Effect != domain.EffectNone
}

func (st *Step) irreversible() bool {
	return st.place.action != nil && st.place.action.Effect == domain.EffectIrreversible && st.place.node.Accepted == ""
}

func (r *Run) attemptFailed(e *domain.AttemptFailed) {
	st := r.step(e.Step)
	r.rule(st.Flying[e.Direction] == e.Attempt, "attempt %d (%s) of %s, which failed, is not in flight", e.Attempt, e.Direction, e.Step)
	delete(st.Flying, e.Direction)
	st.retries(e.Direction, e.RetryAt)
	if e.Direction == domain.Undo {
		st.failed = e.RetryAt.IsZero()
		return
	}
	if e.Direction == domain.Probe {
		if e.RetryAt.IsZero() { // it found an effect whose output can't be recorded
			st.doubt(e.Cause.InDoubt)
			st.failed = true
		}
		return
	}
	if e.Cause.InDoubt {
		st.doubt(true)
	}
	if st.failed = e.RetryAt.IsZero() && !e.Probe; st.failed && st.place.handler {
		st.Forward = "ignored"
	}
}

// retries notes when the next attempt of a direction begins.
func (st *Step) retries(dir domain.Direction, at time.Time) {
	if !at.IsZero() {
		st.retryAt[dir] = at
	}
}

// doubt says whether the effect is in doubt, as long as it is not known to be in place.
func (st *Step) doubt(in bool) {
	switch {
	case !st.lasts() || st.Effect == InPlace:
	case in:
		st.Effect, st.undone = InDoubt, false
	default:
		st.Effect = NoEffect
	}
}

func (r *Run) probed(e *domain.StepProbed) {
	st := r.step(e.Step)
	r.rule(st.Flying[domain.Probe] != 0 || st.place.action != nil && st.place.action.Probe, "step %s has no probe", e.Step)
	delete(st.Flying, domain.Probe)
	st.retries(domain.Do, e.RetryAt)
	switch e.Verdict {
	case domain.Applied:
		r.takesEffect(st)
		r.done(st, e.Output)
		r.cannotReturn(st)
		return
	case domain.NotApplied:
		st.Effect = NoEffect
	}
	st.failed = e.RetryAt.IsZero()
}

func (r *Run) late(e *domain.OutcomeLate) {
	st := r.step(e.Step)
	r.tells(st, e.Direction, e.Attempt)
	if e.Direction != domain.Do || e.Cause != nil && !e.Cause.InDoubt || !st.lasts() {
		return
	}
	back := r.back(st)
	idle := back && (st.undone || st.Effect == NoEffect && len(st.Flying) == 0)
	switch {
	case e.Cause == nil && st.Forward != "done":
		st.Effect = InPlace
	case e.Cause != nil && st.Effect == NoEffect && st.Forward != "done":
		st.Effect = InDoubt
	case back && st.undone:
		st.Effect = InDoubt
	}
	st.revived = st.revived || idle
	st.undone, st.missed = false, st.Started[domain.Undo]
	if idle && st.place.node.Accepted != "" && st.place.action.Effect == domain.EffectIrreversible && e.Cause == nil {
		st.Left, st.undone = true, true
	}
}

// tells requires that an attempt was started and has not told its outcome.
func (r *Run) tells(st *Step, dir domain.Direction, attempt int) {
	r.rule(attempt >= 1 && attempt <= st.Started[dir], "attempt %d (%s) of %s, which tells its outcome, was not started", attempt, dir, st.Path)
	id := fmt.Sprint(dir, attempt)
	r.rule(!st.told[id] || dir == domain.Undo, "attempt %d (%s) of %s succeeds once", attempt, dir, st.Path)
	st.told[id] = true
}
