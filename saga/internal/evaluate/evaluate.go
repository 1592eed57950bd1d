package evaluate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// Code is the code of a run's saga, and what it is evaluated on. All fields but Memo are required.
type Code struct {
	Def   *definition.Definition
	State *machine.State
	Memo  *payload.Memo
	Now   time.Time
	// Node is the coordinator that will carry the attempts.
	Node string
	// Action returns a registered action by name, or nil.
	Action func(name string) *definition.Action
	// Call calls a function of the code for the step with the path, which is empty for the run's
	// output. It returns a nil value with each failure.
	Call func(path string, f func() (any, error)) (any, *domain.Failure)
	// Mask takes the run's secrets out of a failure.
	Mask func(*domain.Failure) *domain.Failure
	// Reads is told each value that the code reads, and reports whether the run does not have it
	// yet; nil while the run is at the step.
	Reads func(json.RawMessage) bool
}

// Answer returns the intent that answers a duty to evaluate or to expand.
func (c *Code) Answer(d machine.Duty, st *machine.Step) (machine.Intent, error) {
	path := st.Path
	if d == machine.Expand {
		return c.expand(st), nil
	}
	code, v := c.Def.Code[st.Node.Key], definition.NewScope(c.State, st, c.Memo).Foreseeing(c.Reads)
	switch st.Node.Kind {
	case domain.KindDo:
		value, failure := c.value(code, v, path)
		if failure != nil {
			return machine.Evaluated{Step: path, Failure: failure}, nil
		}
		return machine.Evaluated{Step: path, Value: plannerValue(st, value), Node: c.Node}, nil
	case domain.KindCompute, domain.KindChild:
		if code.Reject != nil {
			return machine.Evaluated{Step: path, Failure: c.reject(path, func() string { return code.Reject(v) })}, nil
		}
		value, failure := c.value(code, v, path)
		return machine.Evaluated{Step: path, Value: value, Failure: failure}, nil
	case domain.KindSwitch:
		in, failure := evaluated(c, path, func() (c machine.Chosen, _ error) { c.Branch, c.Case = code.Choose(v); return c, nil })
		in.Step, in.Failure = path, failure
		return in, nil
	case domain.KindEach:
		items, failure := evaluated(c, path, func() ([]json.RawMessage, error) { return listed(code, v) })
		return machine.Listed{Step: path, Items: items, Failure: failure}, nil
	case domain.KindSleep:
		now := c.Now
		rest, failure := evaluated(c, path, func() (definition.Rest, error) {
			r := code.Rest(v)
			due := r.Until
			if r.Span != 0 {
				due = now.Add(r.Span)
			}
			return r, accept.EventTime("the end of the sleep", due)
		})
		return machine.Timed{Step: path, Due: rest.Until, For: rest.Span, Failure: failure}, nil
	case domain.KindAwait:
		in := machine.Opened{Step: path}
		if code.Correlation != nil {
			in.Correlation, in.Failure = evaluated(c, path, func() (string, error) {
				id := code.Correlation(v)
				return id, accept.OptionalName("the correlation id", id, accept.MaxName)
			})
		}
		return in, nil
	}
	return nil, fmt.Errorf("%s: a %s has nothing to evaluate", path, st.Node.Kind)
}

// End returns the intent that ends a run whose plan is done or undone.
func (c *Code) End() machine.Finish {
	var in machine.Finish
	if c.State.Plan.Returns && !c.State.Turning {
		in.Output, in.Failure = c.value(c.Def.Code[definition.ReturnKey], definition.NewScope(c.State, nil, c.Memo).Foreseeing(c.Reads), "")
	}
	return in
}

// expand turns a planner's answer into steps.
func (c *Code) expand(st *machine.Step) machine.Planned {
	kids, planner := st.Kids(), plannerOf(st)
	in, failure := evaluated(c, st.Path, func() (machine.Planned, error) {
		return definition.Expand(c.Action, st.Node, planner.Output)
	})
	in.Step, in.Round, in.Failure = st.Path, len(kids)/2+1, failure
	return in
}

// plannerOf returns the planner whose answer a plan node is to expand.
func plannerOf(st *machine.Step) *machine.Step { return st.Kids()[len(st.Kids())-1] }

func listed(code definition.Expression, v definition.Scope) ([]json.RawMessage, error) {
	items, err := code.Items(v)
	if err != nil {
		return nil, err
	}
	for i, item := range items {
		if err := accept.Size(fmt.Sprintf("item %d", i), item); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// reject makes the reason that the code gives the step's failure for good.
func (c *Code) reject(path string, code func() string) *domain.Failure {
	reason, failure := evaluated(c, path, func() (string, error) { return code(), nil })
	if failure != nil {
		return failure
	}
	return c.Mask(&domain.Failure{Kind: domain.FailurePermanent, Step: path, Type: domain.FailureRejected,
		Message: domain.ShortMessage(cmp.Or(strings.TrimSpace(reason), "rejected"))})
}

// plannerValue wraps the input of a plan node for its planner's first round.
func plannerValue(st *machine.Step, value json.RawMessage) json.RawMessage {
	if st.Node.Name != domain.PlannerStep {
		return value
	}
	b := append([]byte(`{"round":1,"input":`), value...)
	return append(b, '}')
}

func (c *Code) value(code definition.Expression, v definition.Scope, path string) (json.RawMessage, *domain.Failure) {
	return evaluated(c, path, func() (json.RawMessage, error) {
		value, err := code.Value(v)
		if err != nil {
			return nil, err
		}
		return value, accept.Size("the value", value)
	})
}

// evaluated is [Code.Call] with a type.
func evaluated[T any](c *Code, path string, f func() (T, error)) (T, *domain.Failure) {
	value, failure := c.Call(path, func() (v any, err error) {
		defer definition.Failing(&err)
		return f()
	})
	typed, _ := value.(T)
	return typed, failure
}
