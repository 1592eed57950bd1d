package definition

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Definition is a saga without types: its plan and its code. It does not change.
type Definition struct {
	Plan *domain.Plan
	// Code holds the expressions of the nodes by key ([domain.Node.Key]); ReturnKey is that of the
	// run's output.
	Code map[string]Expression
	// Actions are all that the plan names, with failure handlers; Children are the sagas it starts.
	Actions  []*Action
	Children []*Definition
	// Signals are the types of what is awaited, by the signal's name.
	Signals map[string][]Payload
	// Input and Output are the types of a run's input and output.
	Input, Output Payload
	// ReadsBack means that every input that was written can be read.
	ReadsBack bool
	// Plans means that steps are planned at run time, of whatever actions are registered then.
	Plans bool
	// NoReturn is the first step after which the saga can't be undone, or empty.
	NoReturn string
	// Untried are the functions that panicked when they were tried with made-up values: nothing is
	// known of what they read.
	Untried []Untried
}

// Payload is a type of a payload, by its name, and whether JSON of somebody else's fits it.
type Payload struct {
	Name  string
	Check func(json.RawMessage) error
}

// Untried is a function of a step that panicked in its trial.
type Untried struct {
	// Step is the step's key, and Panic what it panicked with, and where.
	Step, Panic string
}

// Expression is the code of one node. One field is set, by the node's kind. An expression is
// evaluated when its step is reached, and what it returns is recorded; a replay does not call it.
// It may panic: the step then fails for good, or, after a read that has no value, the run is
// blocked ([BadReadError]).
type Expression struct {
	// Value computes the input of a do, child or plan, or the value of a compute.
	Value func(Scope) (json.RawMessage, error)
	// Choose picks the branch of a switch, -1 for none, and its label.
	Choose func(Scope) (int, string)
	// Items lists the items of an each.
	Items func(Scope) ([]json.RawMessage, error)
	// Rest says how long a step sleeps, or until when.
	Rest func(Scope) Rest
	// Reject gives the reason with which a compute fails its run; it has no Value then.
	Reject func(Scope) string
	// Correlation names the correlation id of an awaited domain event.
	Correlation func(Scope) string
}

// Rest is how long a step sleeps, or until when.
type Rest struct {
	Span  time.Duration
	Until time.Time
}

// ReturnKey is the key of the expression that computes a run's output.
const ReturnKey = "return"

// CheckSignal refuses a payload that no await of the signal could read. A signal that nothing
// awaits may have any payload.
func (d *Definition) CheckSignal(name string, value json.RawMessage) error {
	var errs []error
	for _, t := range d.Signals[name] {
		err := t.Check(value)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s awaits %s: %w", d.Plan.Saga, t.Name, err))
	}
	if errs == nil {
		return nil
	}
	return fmt.Errorf("%w: signal %s: %w", domain.ErrBadInput, name, errors.Join(errs...))
}

// single makes the one-step saga by which a single action is invoked. Its version is 0.
func single(a *Action) (*Definition, error) {
	spec := a.Spec
	node := &domain.Node{Name: spec.Name, Kind: domain.KindDo, Action: &spec, Rule: domain.RuleBackward}
	plan := &domain.Plan{Saga: spec.Name, Description: a.Description,
		Root: &domain.Node{Kind: domain.KindSequence, Children: []*domain.Node{node}, Result: spec.Name}}
	if err := plan.Index(); err != nil {
		return nil, err
	}
	plan.Hidden = hideIn(plan, a.Secrets)
	if h := a.OnFailure; h != nil {
		plan.Hidden = hideIn(plan, a.Secrets, h.Secrets)
	}
	input := Expression{Value: func(v Scope) (json.RawMessage, error) { return v.state.Start.Input, nil }}
	return &Definition{Plan: plan, Actions: []*Action{a}, Code: map[string]Expression{node.Key: input},
		Input: Payload{a.InType, a.Check}, Output: Payload{a.OutType, a.CheckOutput}}, nil
}

// hideIn returns what the types keep secret beyond the names that a plan has already.
func hideIn(p *domain.Plan, all ...*payload.Secrets) []string {
	var names []string
	for _, t := range all {
		names = append(names, t.Names...)
	}
	return payload.Without(names, p.Secret)
}
