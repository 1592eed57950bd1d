package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// Errors with which [Decide] refuses an intent; nothing changes.
var (
	// ErrEnded means that the run has ended.
	ErrEnded = errors.New("the run has ended")
	// ErrPastPivot means that the run passed its point of no return: it can only go forward.
	ErrPastPivot = errors.New("the run is past its pivot and can only go forward")
	// ErrTurnedBack means that the run is already being undone.
	ErrTurnedBack = errors.New("the run is already being undone")
	// ErrNoStep means that the run has no such step (yet).
	ErrNoStep = errors.New("no such step in the run")
	// ErrNoAttempt means that the run has started no such attempt of the step (yet).
	ErrNoAttempt = errors.New("no such attempt in the run")
	// ErrNotStuck means that the step does not wait for a person.
	ErrNotStuck = errors.New("the step is not stuck")
	// ErrStale means that other events overtook the intent; it is dropped.
	ErrStale = errors.New("overtaken by what happened meanwhile")
	// ErrTaken means that the run took the event before, ErrNotAwaited that it has no open await
	// for it.
	ErrTaken      = errors.New("the run has taken this event before")
	ErrNotAwaited = errors.New("the run awaits no such event")
	// ErrBadOutput means that a substitute output is not JSON, ErrNoOutput that the step is stuck
	// in its undo, for which there is no output.
	ErrBadOutput = errors.New("the output is not valid JSON")
	ErrNoOutput  = errors.New("the step is stuck in its undo, which has no output")
)

// Intent is something that happened to a run or is wanted of it.
type Intent interface {
	decide(s *State, now moment) ([]domain.Event, error)
}

// Decide returns the events that follow from an intent, to be appended in this order in one batch;
// none if nothing follows. It does not change the state.
func Decide(s *State, in Intent, now time.Time) ([]domain.Event, error) {
	return in.decide(s, moment{Time: now})
}

// Under decides an intent under the deciding program's policies. They may differ from those of the
// run's plan, which is as old as the run. The event that starts an attempt records them.
type Under struct {
	Intent
	// Policy returns the policy of the step's action, nil if the program does not know the action:
	// then the policy of the step's latest attempt applies, else the plan's.
	Policy func(*Step) *domain.Policy
}

func (in Under) decide(s *State, now moment) ([]domain.Event, error) {
	now.policies = in.Policy
	return in.Intent.decide(s, now)
}

// Evaluated answers a step whose expression was owed: the input of a do, child or plan, the
// value of a compute. A non-nil Failure means that the code failed.
type Evaluated struct {
	Step    string
	Value   json.RawMessage
	Failure *domain.Failure
	// Node is the coordinator that will carry the attempt.
	Node string
}

func (in Evaluated) decide(s *State, now moment) ([]domain.Event, error) {
	st, err := s.find(in.Step)
	if err != nil {
		return nil, err
	}
	if st.Phase != Ready {
		return nil, ErrStale
	}
	if in.Failure != nil {
		return one(&domain.StepFailed{Step: in.Step, Cause: *in.Failure})
	}
	switch st.Node.Kind {
	case domain.KindCompute:
		return one(&domain.ValueComputed{Step: in.Step, Value: in.Value})
	case domain.KindChild:
		name := st.Path
		if st.Do.N > 0 {
			name = fmt.Sprintf("%s#%d", name, st.Do.N+1)
		}
		return one(&domain.ChildStarted{Step: in.Step, Run: domain.ChildRunID(s.Run, name), Saga: st.Node.Saga, Version: st.Node.Version, Input: in.Value})
	}
	if st.Node.Kind != domain.KindDo {
		return nil, ErrStale
	}
	return one(s.startEvent(st, st.forwardDirection(), in.Value, in.Node, now))
}

// Begin starts the attempt that a step owes and whose input is known: a retry, an undo, a
// probe, a failure handler, a planned step.
type Begin struct {
	Step string
	// Node is the coordinator that will carry the attempt.
	Node string
}

func (in Begin) decide(s *State, now moment) ([]domain.Event, error) {
	st, err := s.find(in.Step)
	if err != nil {
		return nil, err
	}
	if st.Node.Action == nil && st.Phase != UndoDue {
		return nil, ErrStale
	}
	switch st.Phase {
	case Ready:
		var input json.RawMessage
		if len(st.Input) == 0 {
			input = s.knownInput(st)
		}
		if len(input) > maxInput && st.Handler {
			input = s.shortReport(st.About)
		} else if len(input) > maxInput {
			return one(&domain.StepFailed{Step: st.Path, Cause: domain.Failure{Kind: domain.FailurePermanent, Step: st.Path,
				Message: fmt.Sprintf("its input, with the results of the round before, is %d bytes; at most %d fit: have the steps return references, or plan fewer in a round", len(input), maxInput)}})
		}
		return one(s.startEvent(st, st.forwardDirection(), input, in.Node, now))
	case Backoff:
		if now.Before(st.Do.RetryAt) {
			return nil, ErrStale
		}
		return one(s.startEvent(st, st.forwardDirection(), nil, in.Node, now))
	case ProbeDue:
		return one(s.startEvent(st, domain.Probe, nil, in.Node, now))
	case UndoDue:
		if st.Node.Kind == domain.KindChild {
			cause := domain.Failure{Kind: domain.FailureParent, Message: "the parent run turned back"}
			if s.Cause != nil {
				cause.Message += ": " + s.Cause.String()
			}
			return one(&domain.ChildTurnedBack{Step: st.Path, Run: st.Child, Cause: cause})
		}
		return one(s.startEvent(st, domain.Undo, nil, in.Node, now))
	case UndoBackoff, ProbeBackoff:
		dir := st.Direction()
		if now.Before(st.Tries(dir).RetryAt) {
			return nil, ErrStale
		}
		return one(s.startEvent(st, dir, nil, in.Node, now))
	}
	return nil, ErrStale
}

// maxInput bounds an input or output that the machine puts together, in bytes, so that it fits an
// append.
const maxInput = 768 << 10

// startEvent builds the event that starts the next attempt of a step.
func (s *State) startEvent(st *Step, dir domain.Direction, input json.RawMessage, node string, now moment) *domain.AttemptStarted {
	spec, t, force := st.Node.Action, st.Tries(dir), now.policy(st)
	policy, timeout := force.For(dir)
	first := t.First
	if t.N == t.Base {
		first = now.Time
	}
	if dir == domain.Probe {
		policy.TotalTimeout = 0 // it bounds only the attempts of the do
	}
	e := &domain.AttemptStarted{Step: st.Path, Direction: dir, Attempt: t.N + 1, Action: spec.Name, Input: input, Node: node,
		Due: policy.Deadline(now.Time, first, timeout)}
	if force != spec.Policy() {
		e.InForce = &force
	}
	return e
}

// Chosen answers a switch: the branch to take, -1 for none.
type Chosen struct {
	Step    string
	Branch  int
	Case    string
	Failure *domain.Failure
}

func (in Chosen) decide(s *State, _ moment) ([]domain.Event, error) {
	return s.answer(in.Step, in.Failure, &domain.BranchChosen{Step: in.Step, Branch: in.Branch, Case: in.Case})
}

// answer records what the definition's code answered for a step, or its failure.
func (s *State) answer(path string, failure *domain.Failure, e ...domain.Event) ([]domain.Event, error) {
	st, err := s.find(path)
	switch {
	case err != nil:
		return nil, err
	case st.Phase != Ready:
		return nil, ErrStale
	case failure != nil:
		return one(&domain.StepFailed{Step: path, Cause: *failure})
	}
	return e, nil
}

// itemsPart is how many bytes of items one ItemsListed carries at most.
const itemsPart = 256 << 10

// Listed answers an each with its items.
type Listed struct {
	Step    string
	Items   []json.RawMessage
	Failure *domain.Failure
}

func (in Listed) decide(s *State, _ moment) ([]domain.Event, error) {
	var events []domain.Event
	from, size := 0, 0
	for i, item := range in.Items {
		if size += len(item) + 1; size > itemsPart && i > from {
			events = append(events, &domain.ItemsListed{Step: in.Step, Offset: from, Items: in.Items[from:i]})
			from, size = i, len(item)+1
		}
	}
	events = append(events, &domain.ItemsListed{Step: in.Step, Offset: from, Items: in.Items[from:], Last: true})
	return s.answer(in.Step, in.Failure, events...)
}

// Timed answers a sleep with the time of its end.
type Timed struct {
	Step string
	Due  time.Time
	// For is how long the step sleeps, 0 if it sleeps until Due.
	For     time.Duration
	Failure *domain.Failure
}

func (in Timed) decide(s *State, now moment) ([]domain.Event, error) {
	switch {
	case in.For > 0:
		in.Due = now.Add(in.For)
	case in.Due.IsZero():
		in.Due = now.Time // the time is long past; zero would mean never
	}
	return s.answer(in.Step, in.Failure, &domain.TimerSet{Step: in.Step, Due: in.Due, For: domain.Duration(max(in.For, 0))})
}

// Opened answers an await; for one of a domain event, with the correlation id to wait for.
type Opened struct {
	Step        string
	Correlation string
	Failure     *domain.Failure
}

func (in Opened) decide(s *State, now moment) ([]domain.Event, error) {
	st, err := s.find(in.Step)
	if err != nil {
		return nil, err
	}
	spec := st.Node.Await
	e := &domain.AwaitOpened{Step: in.Step, Signal: spec.Signal, Event: spec.Event, Correlation: in.Correlation}
	if spec.Timeout > 0 {
		e.Due = now.Add(time.Duration(spec.Timeout))
	}
	events, err := s.answer(in.Step, in.Failure, e)
	if err != nil || in.Failure != nil || spec.Signal == "" {
		return events, err
	}
	for _, g := range s.signals {
		if g.Name == spec.Signal {
			return append(events, &domain.AwaitMet{Step: in.Step, Value: g.Value, By: g.ID}), nil
		}
	}
	return events, nil
}

// Passed lets the run past a pivot.
type Passed struct{ Step string }

func (in Passed) decide(s *State, _ moment) ([]domain.Event, error) {
	if s.Turning || s.Cancel != nil {
		return nil, ErrStale
	}
	return s.answer(in.Step, nil, &domain.PivotPassed{Step: in.Step})
}

// Planned answers a plan node whose planner has returned.
type Planned struct {
	Step    string
	Round   int
	Steps   *domain.Node
	Inputs  []json.RawMessage
	Done    bool
	Output  json.RawMessage
	Failure *domain.Failure
}

func (in Planned) decide(s *State, _ moment) ([]domain.Event, error) {
	st, err := s.find(in.Step)
	if err != nil {
		return nil, err
	}
	if limit := st.Node.MaxRounds; in.Failure == nil && !in.Done && limit > 0 && in.Round >= limit {
		in.Failure = &domain.Failure{Kind: domain.FailurePermanent, Step: in.Step,
			Message: fmt.Sprintf("not done after %d rounds of planning: raise MaxRounds, or let the planner finish", limit)}
	}
	return s.answer(in.Step, in.Failure, &domain.StepsPlanned{Step: in.Step, Round: in.Round, Steps: in.Steps, Inputs: in.Inputs, Done: in.Done, Output: in.Output})
}

// Finish ends a run whose root is done or undone. Output and Failure are those of the definition's
// return expression, if the plan has one. The error is [*domain.NoEndError] where the run can
// neither end nor turn back.
type Finish struct {
	Output  json.RawMessage
	Failure *domain.Failure
}

func (in Finish) decide(s *State, _ moment) ([]domain.Event, error) {
	if !s.mayEnd() {
		return nil, ErrStale
	}
	switch s.Was { // the run had ended before a late effect made it stuck
	case domain.RunIsCompleted:
		return one(&domain.RunCompleted{Output: s.Output})
	case domain.RunIsAbandoned:
		return one(&domain.RunAbandoned{Reason: s.AbandonReason, Left: s.Left})
	}
	if n := len(s.root.Output); !s.Plan.Returns && n > maxInput {
		in.Failure = &domain.Failure{Kind: domain.FailurePermanent, Message: fmt.Sprintf("the output is %d bytes; at most %d fit: have the steps return references", n, maxInput)}
	}
	switch {
	case s.Turning && s.Cause != nil && s.Cause.Kind == domain.FailureCancelled:
		return one(&domain.RunCancelled{Left: s.Left})
	case s.Turning:
		return one(&domain.RunCompensated{Left: s.Left})
	case in.Failure != nil && !s.PastPivot:
		return one(&domain.RunTurnedBack{Cause: *in.Failure})
	case in.Failure != nil:
		return nil, &domain.NoEndError{Reason: "the saga's output can't be made: " + in.Failure.Message}
	case s.Plan.Returns:
		return one(&domain.RunCompleted{Output: in.Output})
	}
	return one(&domain.RunCompleted{Output: s.root.Output})
}

// Consequence decides what follows from a step that failed for good.
type Consequence struct{ Step string }

func (in Consequence) decide(s *State, _ moment) ([]domain.Event, error) {
	st, err := s.find(in.Step)
	if err != nil {
		return nil, err
	}
	cause := domain.Failure{Kind: domain.FailurePermanent, Message: "failed"}
	if st.Cause != nil {
		cause = *st.Cause
	}
	cause.Step = st.Path
	if st.Phase == UndoFailed {
		return one(s.stuckEvent(st, domain.Undo, cause))
	}
	if st.Phase != Failed {
		return nil, ErrStale
	}
	// The last attempt's refusal does not settle an earlier attempt's doubt.
	cause.InDoubt = st.InDoubt
	switch {
	case st.Node.Rule == domain.RuleIgnore:
		return one(&domain.StepIgnored{Step: st.Path})
	case st.Node.Rule == domain.RuleAsk, st.Node.Rule == domain.RuleForward, s.PastPivot, st.InDoubt && st.CantUndo():
		// The rest is not undone while an effect stays that can't be undone or is unknown.
		return one(s.stuckEvent(st, domain.Do, cause))
	}
	if each, item := st.tolerating(); each != nil {
		return one(&domain.ItemFailed{Step: each.Path, Item: item, Cause: cause})
	}
	return one(&domain.RunTurnedBack{Cause: cause})
}

// tolerating returns the innermost each around the step that may lose another item, and the item.
func (st *Step) tolerating() (*Step, int) {
	for k := st; k.parent != nil; k = k.parent {
		if p := k.parent; p.Node.Kind == domain.KindEach && p.failures < p.Node.Tolerate {
			return p, k.index
		}
	}
	return nil, 0
}
