package machine

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// Outcome reports how an attempt ended.
type Outcome struct {
	Step      string
	Direction domain.Direction
	Attempt   int
	// Output is that of a success; for a probe, that of the attempt probed.
	Output json.RawMessage
	// Failure is set if the attempt did not succeed; Effect is what the attempt says of its effect.
	Failure *domain.Failure
	Effect  domain.FailureEffect
	// Verdict is a probe's answer.
	Verdict domain.Verdict
	// Emitted are the domain events that the handler emitted; they stand or fall with its success.
	Emitted []*domain.DomainEvent
}

func (in Outcome) decide(s *State, now moment) ([]domain.Event, error) {
	st, err := s.find(in.Step)
	if err != nil {
		return nil, err
	}
	t := st.Tries(in.Direction)
	if in.Attempt < 1 || in.Attempt > t.N {
		return nil, fmt.Errorf("%s: outcome of %s attempt %d, and %d were started: %w", in.Step, in.Direction, in.Attempt, t.N, ErrNoAttempt)
	}
	if !t.Running || in.Attempt != t.N {
		return in.late(s, st)
	}
	switch {
	case in.Direction == domain.Probe && in.Failure != nil:
		return one(s.probeFailure(st, in.Attempt, *in.Failure, in.Effect, now))
	case in.Direction == domain.Probe:
		return one(s.probed(st, in.Verdict, in.Output, nil, now))
	case in.Failure != nil:
		return one(s.failed(st, in.Direction, in.Attempt, *in.Failure, in.Effect, now))
	}
	return in.success(), nil
}

func (in Outcome) success() []domain.Event {
	events := make([]domain.Event, 0, 4+len(in.Emitted))
	for _, d := range in.Emitted {
		events = append(events, d)
	}
	return append(events, &domain.AttemptSucceeded{Step: in.Step, Direction: in.Direction, Attempt: in.Attempt, Output: in.Output})
}

// late decides on the outcome of an attempt that is no longer in flight. A repeat of a recorded
// outcome has no event; the outcome of an attempt that was given up does.
func (in Outcome) late(s *State, st *Step) ([]domain.Event, error) {
	if in.Direction == domain.Undo && in.Failure == nil && in.Attempt > st.Undo.Base &&
		(st.Phase == UndoBackoff || st.Phase == UndoFailed || st.Phase == UndoStuck) {
		return in.success(), nil
	}
	if !slices.Contains(st.Tries(in.Direction).GaveUp, in.Attempt) {
		return nil, nil
	}
	if in.Failure != nil {
		cause := *in.Failure
		cause.InDoubt = st.doubts(in.Direction) && in.Effect != domain.EffectNotDone
		events, _ := one(&domain.OutcomeLate{Step: in.Step, Direction: in.Direction, Attempt: in.Attempt, Cause: &cause})
		if in.Effect == domain.EffectDone {
			events = append(events, s.lateStuck(st, in.Direction)...)
		}
		return events, nil
	}
	if in.Direction != domain.Undo && in.Attempt == st.Do.N {
		switch st.Phase {
		case Ready, Backoff, ProbeDue, Probing, ProbeBackoff, Failed, Stuck:
			return in.success(), nil
		}
	}
	events := in.success()
	events[len(events)-1] = &domain.OutcomeLate{Step: in.Step, Direction: in.Direction, Attempt: in.Attempt, Output: domain.OrNull(in.Output)}
	return append(events, s.lateStuck(st, in.Direction)...), nil
}

// lateStuck makes the run stuck: an effect that can't be undone came after its step was turned back
// as untouched.
func (s *State) lateStuck(st *Step, dir domain.Direction) []domain.Event {
	if st.Phase != Untouched || !st.CantUndo() || !st.doubts(dir) {
		return nil
	}
	return []domain.Event{s.stuckEvent(st, domain.Undo, domain.Failure{Kind: domain.FailurePermanent, Step: st.Path, Message: irreversibleText})}
}

// failed decides what a failure of the attempt in flight leads to: a retry, a probe, or the
// step's failure for good. Whether its effect is in doubt is decided here, once, and recorded.
func (s *State) failed(st *Step, dir domain.Direction, attempt int, cause domain.Failure, effect domain.FailureEffect, now moment) *domain.AttemptFailed {
	cause.InDoubt = st.doubts(dir) && effect != domain.EffectNotDone
	if effect == domain.EffectDone {
		cause.Kind = domain.FailurePermanent // a retry would bring the same output
	}
	e := &domain.AttemptFailed{Step: st.Path, Direction: dir, Attempt: attempt, Cause: cause, RetryAt: s.retryAt(st, dir, cause, now)}
	if dir == domain.Do && st.Node.Action.Probe && st.asksProbe(cause, effect, !e.RetryAt.IsZero()) {
		e.Probe, e.RetryAt = true, time.Time{}
	}
	return e
}

// asksProbe reports whether a failed do is probed: at once after an attempt that timed out, was
// lost or says that it is in doubt, and after any doubt if no retry follows. An effect that is
// known to have happened is not probed.
func (st *Step) asksProbe(cause domain.Failure, effect domain.FailureEffect, retried bool) bool {
	switch {
	case effect == domain.EffectDone:
		return false
	case effect == domain.EffectInDoubt, cause.Kind == domain.FailureTimedOut, cause.Kind == domain.FailureLost:
		return true
	}
	return !retried && (cause.InDoubt || st.InDoubt)
}

// retryAt returns when the next attempt begins, zero for never.
func (s *State) retryAt(st *Step, dir domain.Direction, cause domain.Failure, now moment) time.Time {
	if cause.Kind == domain.FailurePermanent || dir == domain.Do && st.Turning {
		return time.Time{}
	}
	t := st.Tries(dir)
	policy, _ := now.policy(st).For(dir)
	return policy.Next(now.Time, t.First, t.N-t.Base-t.Uncounted, time.Duration(cause.RetryAfter), domain.IdempotencyKey(s.Run, st.Path, dir))
}

// probed decides on a probe's answer. cause is why the probe failed, if it answered by failing.
func (s *State) probed(st *Step, v domain.Verdict, output json.RawMessage, cause *domain.Failure, now moment) *domain.StepProbed {
	e := &domain.StepProbed{Step: st.Path, Attempt: st.Probe.N, Verdict: v, Cause: cause}
	if v == domain.Applied {
		e.Output = domain.OrNull(output)
		return e
	}
	failure := domain.Failure{Kind: domain.FailureTimedOut}
	if st.Do.Cause != nil {
		failure = *st.Do.Cause
	}
	e.RetryAt = s.retryAt(st, domain.Do, failure, now)
	return e
}

// probeFailure decides on a failed probe: it is tried again under the action's Retry, then its
// answer is "unknown". A probe that found an effect whose output can't be recorded has answered:
// the step fails, and is in doubt.
func (s *State) probeFailure(st *Step, attempt int, cause domain.Failure, effect domain.FailureEffect, now moment) domain.Event {
	cause.InDoubt = false
	e := &domain.AttemptFailed{Step: st.Path, Direction: domain.Probe, Attempt: attempt, Cause: cause}
	if effect == domain.EffectDone {
		e.Cause.Kind, e.Cause.InDoubt = domain.FailurePermanent, st.doubts(domain.Do)
		return e
	}
	if e.RetryAt = s.retryAt(st, domain.Probe, cause, now); !e.RetryAt.IsZero() {
		return e
	}
	return s.probed(st, domain.Unknown, nil, &cause, now)
}

// Lost says that the worker of an attempt died, or that its queue was emptied by a crash.
type Lost struct {
	Step      string
	Direction domain.Direction
	Attempt   int
	Reason    string
}

func (in Lost) decide(s *State, now moment) ([]domain.Event, error) {
	st, err := s.flying(in.Step, in.Direction, in.Attempt)
	if err != nil {
		return nil, err
	}
	return one(s.giveUpEvent(st, in.Direction, domain.FailureLost, in.Reason, now))
}

// flying returns the step if that attempt of it is in flight, else [ErrStale].
func (s *State) flying(path string, dir domain.Direction, attempt int) (*Step, error) {
	st, err := s.find(path)
	if err != nil {
		return nil, err
	}
	if t := st.Tries(dir); !t.Running || t.N != attempt || st.Node.Action == nil {
		return nil, ErrStale
	}
	return st, nil
}

// giveUpEvent decides on an attempt whose outcome did not come in time.
func (s *State) giveUpEvent(st *Step, dir domain.Direction, kind domain.FailureKind, reason string, now moment) domain.Event {
	cause := domain.Failure{Kind: kind, Message: reason, Step: st.Path}
	if dir == domain.Probe {
		return s.probeFailure(st, st.Probe.N, cause, domain.EffectUnsaid, now)
	}
	return s.failed(st, dir, st.Tries(dir).N, cause, domain.EffectInDoubt, now)
}

// Beat records that a long attempt is alive.
type Beat struct {
	Step      string
	Direction domain.Direction
	Attempt   int
	Details   json.RawMessage
}

func (in Beat) decide(s *State, now moment) ([]domain.Event, error) {
	st, err := s.flying(in.Step, in.Direction, in.Attempt)
	if err != nil {
		return nil, err
	}
	return one(&domain.AttemptHeartbeat{Step: in.Step, Direction: in.Direction, Attempt: in.Attempt, Details: in.Details,
		Due: now.Add(time.Duration(st.Policy().HeartbeatTimeout))})
}

// Unsent says that the attempt in flight timed out and that no worker ever had it: the broker
// refused it each time. Nothing was done, so it uses up no retry.
type Unsent struct {
	Step      string
	Direction domain.Direction
	Attempt   int
	Reason    string
}

// unsentDelay is the time from an attempt that the broker refused to the next one.
const unsentDelay = time.Second

func (in Unsent) decide(s *State, now moment) ([]domain.Event, error) {
	st, err := s.flying(in.Step, in.Direction, in.Attempt)
	if err != nil {
		return nil, err
	}
	e := &domain.AttemptFailed{Step: st.Path, Direction: in.Direction, Attempt: in.Attempt, Uncounted: true,
		// Lost, so that an outcome still counts if the broker kept the message that it refused.
		Cause: domain.Failure{Kind: domain.FailureLost, Step: st.Path, Message: in.Reason}}
	if !(in.Direction == domain.Do && st.Turning) {
		e.RetryAt = now.Add(unsentDelay)
	}
	return one(e)
}
