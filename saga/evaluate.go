package saga

import (
	"encoding/json"
	"fmt"
	"runtime/debug"

	"github.com/atonehq/atone/domain"
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
	code, v := a.def.code[st.Node.Key], View{state: a.state, step: st}
	switch kind {
	case domain.KindDo:
		return t.begin(st, func() machine.Intent {
			value, failure := evalValue(code, v, path)
			if failure != nil {
				return machine.Evaluated{Step: path, Failure: failure}
			}
			return machine.Evaluated{Step: path, Value: plannerValue(st, value), Node: a.c.incarnation}
		})
	case domain.KindCompute, domain.KindChild:
		value, failure := evalValue(code, v, path)
		return t.decide(machine.Evaluated{Step: path, Value: value, Failure: failure})
	case domain.KindSwitch:
		in := machine.Chosen{Step: path}
		in.Failure = guard(path, func() error { in.Branch, in.Case = code.choose(v); return nil })
		return t.decide(in)
	case domain.KindEach:
		in := machine.Listed{Step: path}
		in.Failure = guard(path, func() (err error) {
			if in.Items, err = code.items(v); err != nil {
				return err
			}
			for i, item := range in.Items {
				if err := checkPayload(fmt.Sprintf("item %d", i), item); err != nil {
					return err
				}
			}
			return nil
		})
		return t.decide(in)
	case domain.KindSleep:
		in := machine.Timed{Step: path}
		in.Failure = guard(path, func() error { in.Due = code.until(v, t.now); return nil })
		return t.decide(in)
	case domain.KindAwait:
		in := machine.Opened{Step: path}
		if code.correlation != nil {
			in.Failure = guard(path, func() error { in.Correlation = code.correlation(v); return nil })
		}
		return t.decide(in)
	}
	return fmt.Errorf("%s: a %s has nothing to evaluate", path, kind)
}

// plannerValue wraps the input of a plan node for its planner's first round.
func plannerValue(st *machine.Step, value json.RawMessage) json.RawMessage {
	if st.Node.Name != machine.PlannerStep {
		return value
	}
	b := append([]byte(`{"round":1,"input":`), value...)
	return append(b, '}')
}

func evalValue(code expression, v View, path string) (value json.RawMessage, failure *domain.Failure) {
	failure = guard(path, func() (err error) {
		if value, err = code.value(v); err != nil {
			return err
		}
		return checkPayload("the value", value)
	})
	return value, failure
}

// guard calls the author's code and turns an error or a panic into a permanent failure.
func guard(path string, f func() error) (failure *domain.Failure) {
	defer func() {
		if p := recover(); p != nil {
			failure = &domain.Failure{Kind: domain.FailurePermanent, Step: path, Type: "panic", Stack: string(debug.Stack()),
				Message: shorten(fmt.Sprintf("the saga's code for this step panicked: %v", p))}
		}
	}()
	if err := f(); err != nil {
		return &domain.Failure{Kind: domain.FailurePermanent, Step: path, Message: shorten("the saga's code for this step failed: " + err.Error()), Type: errorType(err)}
	}
	return nil
}

// checkPayload refuses what does not fit an event.
func checkPayload(what string, raw json.RawMessage) error {
	if len(raw) > maxPayload {
		return fmt.Errorf("%s is %d bytes of JSON; at most %d fit a run's stream: store it elsewhere and pass a reference", what, len(raw), maxPayload)
	}
	return nil
}

// expand turns a planner's answer into steps.
func (t *turnState) expand(st *machine.Step) error {
	kids := st.Kids()
	planner := kids[len(kids)-1]
	in := machine.Planned{Step: st.Path, Round: len(kids)/2 + 1}
	in.Failure = guard(st.Path, func() (err error) {
		in.Steps, in.Inputs, in.Done, in.Output, err = expand(t.a.c.registry.actionTable(), st.Node, planner.Output)
		return err
	})
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
		in.Output, in.Failure = evalValue(a.def.code[returnKey], View{state: a.state}, "")
	}
	return t.decide(in)
}

func (t *turnState) blockForPlan() error {
	s := t.a.state.Start
	return t.block(fmt.Sprintf("no program here has saga %s v%d with plan %.12s: deploy one that registers it", s.Saga, s.Version, s.Plan))
}
