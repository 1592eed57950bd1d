package saga

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/machine"
)

// evaluate computes what a step needs with the definition's code and tells the machine.
func (t *turnState) evaluate(d machine.Duty, st *machine.Step) error {
	a := t.a
	if d == machine.Expand {
		return t.expand(st)
	}
	kind, path := st.Node.Kind, st.Path
	if a.def == nil {
		return t.blockForPlan()
	}
	code, v := a.def.Code[st.Node.Key], definition.NewScope(a.state, st, a.memo)
	switch kind {
	case domain.KindDo:
		return t.begin(st, func() machine.Intent {
			value, failure := evalValue(t, code, v, path)
			if failure != nil {
				return machine.Evaluated{Step: path, Failure: failure}
			}
			return machine.Evaluated{Step: path, Value: plannerValue(st, value), Node: a.c.incarnation}
		})
	case domain.KindCompute, domain.KindChild:
		if code.Reject != nil {
			return t.reject(path, func() (string, error) { return code.Reject(v), nil })
		}
		value, failure := evalValue(t, code, v, path)
		return t.decide(machine.Evaluated{Step: path, Value: value, Failure: failure})
	case domain.KindSwitch:
		chosen, failure := evaluated(t, path, func() (c machine.Chosen, _ error) { c.Branch, c.Case = code.Choose(v); return c, nil })
		in := machine.Chosen{Step: path, Branch: chosen.Branch, Case: chosen.Case, Failure: failure}
		return t.decide(in)
	case domain.KindEach:
		in := machine.Listed{Step: path}
		in.Items, in.Failure = evaluated(t, path, func() ([]json.RawMessage, error) {
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
		})
		return t.decide(in)
	case domain.KindSleep:
		in, now := machine.Timed{Step: path}, t.now
		sleeps, failure := evaluated(t, path, func() (definition.Rest, error) {
			r := code.Rest(v)
			due := r.Until
			if r.Span != 0 {
				due = now.Add(r.Span)
			}
			return r, accept.EventTime("the end of the sleep", due)
		})
		in.Due, in.For, in.Failure = sleeps.Until, sleeps.Span, failure
		return t.decide(in)
	case domain.KindAwait:
		in := machine.Opened{Step: path}
		if code.Correlation != nil {
			in.Correlation, in.Failure = evaluated(t, path, func() (string, error) {
				id := code.Correlation(v)
				return id, accept.OptionalName("the correlation id", id, accept.MaxName)
			})
		}
		return t.decide(in)
	}
	return fmt.Errorf("%s: a %s has nothing to evaluate", path, kind)
}

// reject fails a step for good with the reason that its code gives.
func (t *turnState) reject(path string, code func() (string, error)) error {
	reason, failure := evaluated(t, path, code)
	if failure == nil {
		failure = t.maskClosure(&domain.Failure{Kind: domain.FailurePermanent, Step: path, Type: domain.FailureRejected,
			Message: domain.ShortMessage(cmp.Or(strings.TrimSpace(reason), "rejected"))})
	}
	return t.decide(machine.Evaluated{Step: path, Failure: failure})
}

// plannerValue wraps the input of a plan node for its planner's first round.
func plannerValue(st *machine.Step, value json.RawMessage) json.RawMessage {
	if st.Node.Name != machine.PlannerStep {
		return value
	}
	b := append([]byte(`{"round":1,"input":`), value...)
	return append(b, '}')
}

func evalValue(t *turnState, code definition.Expression, v definition.Scope, path string) (json.RawMessage, *domain.Failure) {
	return evaluated(t, path, func() (json.RawMessage, error) {
		value, err := code.Value(v)
		if err != nil {
			return nil, err
		}
		return value, accept.Size("the value", value)
	})
}

// evaluated is [contain.Closure] for a turn. A read that has no value blocks the run instead of
// failing the step. Code that hangs keeps the state that it looks at: the turn is then decided
// again on a state of its own, and the step fails without a second call.
func evaluated[T any](t *turnState, path string, f func() (T, error)) (T, *domain.Failure) {
	if failure := t.a.hung[path]; failure != nil {
		var zero T
		return zero, failure
	}
	value, err := contain.CallOn(t.a.c.idleHands(), contain.ClosureLimit, f)
	if bad := definition.BadRead(err); bad != nil {
		t.badRead = t.maskClosure(&domain.Failure{Message: fmt.Sprintf("%s: %v: mend the saga's code and deploy it", cmp.Or(path, "its output"), bad)}).Message
		return value, nil
	}
	failure := t.maskClosure(contain.Failure(path, err))
	if failure != nil && failure.Type == contain.Hangs {
		if t.a.hung == nil {
			t.a.hung = make(map[string]*domain.Failure)
		}
		t.a.hung[path], t.stale = failure, true
	}
	return value, failure
}

// expand turns a planner's answer into steps.
func (t *turnState) expand(st *machine.Step) error {
	kids := st.Kids()
	planner := kids[len(kids)-1]
	in, failure := evaluated(t, st.Path, func() (machine.Planned, error) {
		return definition.Expand(t.a.c.registry.Action, st.Node, planner.Output)
	})
	in.Step, in.Round, in.Failure = st.Path, len(kids)/2+1, failure
	return t.decide(in)
}

// end finishes a run whose plan is done or undone.
func (t *turnState) end() error {
	a := t.a
	var in machine.Finish
	if a.state.Plan.Returns && !a.state.Turning {
		if a.def == nil {
			return t.blockForPlan()
		}
		in.Output, in.Failure = evalValue(t, a.def.Code[definition.ReturnKey], definition.NewScope(a.state, nil, a.memo), "")
	}
	return t.decide(in)
}

func (t *turnState) blockForPlan() error {
	s := t.a.state.Start
	return t.block(fmt.Sprintf("no program here has saga %s v%d with plan %.12s: deploy one that registers it", s.Saga, s.Version, s.Plan))
}
