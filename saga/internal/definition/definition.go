package definition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/shape"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/schema"
	"github.com/atonehq/atone/saga/machine"
)

// Definition is a saga without types: its plan and its code. It does not change.
type Definition struct {
	// Plan is what runs are started with. Written is the plan as the code has it: the log may list
	// one for the saga's version that differs in its policies, see [Registry.Adopt].
	Plan, Written *domain.Plan
	// Code holds the expressions of the nodes by key ([domain.Node.Key]); ReturnKey is that of the
	// run's output.
	Code map[string]Expression
	// Policies are those of the code's actions, by the node's key: a run's plan, which is as old
	// as the run, may have others.
	Policies map[string]*domain.Policy
	// Actions are all that the plan names, with failure handlers; Children are the sagas it
	// starts.
	Actions  []*Action
	Children []*Definition
	// Signals are the types of the awaited signals, by name.
	Signals map[string][]Payload
	// Input and Output are the types of a run's input and output.
	Input, Output Payload
	// ReadsBack means that every written input can be read back.
	ReadsBack bool
	// Plans means that steps are planned at run time, from any registered actions.
	Plans bool
	// NoReturn is the first step after which the saga can't be undone, or empty.
	NoReturn string
	// About computes a run's key and labels of its input, where the saga says them; else it is nil.
	About func(input json.RawMessage) (About, error)
	// Untried are the functions that panicked when they were tried with made-up values: their
	// further reads were not checked.
	Untried []Untried
}

// About is what a saga says of a run by its input.
type About struct {
	// Key is the run's key where the start gives none; it may be empty.
	Key string
	// Labels are attached to the run, besides those that the start gives.
	Labels map[string]string
}

// Payload is the type of a payload: its name, a check whether foreign JSON fits it, and its JSON
// Schema.
type Payload struct {
	Name   string
	Check  func(json.RawMessage) error
	Schema json.RawMessage
}

// PayloadOf describes a type.
func PayloadOf[T any]() Payload {
	t := reflect.TypeFor[T]()
	return Payload{t.String(), payload.Fits[T], schema.Of(t)}
}

// Complete refuses JSON that lacks what the type's schema requires, or is nothing where the type
// has no value for that. It does not check what [Payload.Check] does. what is "input" or "payload".
func (p Payload) Complete(what string, raw json.RawMessage) error {
	f, err := shape.Read(p.Schema)
	if err != nil {
		return nil //nolint:nilerr // a type without a schema requires nothing
	}
	nothing := len(raw) == 0 || string(bytes.TrimSpace(raw)) == "null"
	missing := f.Missing(bytes.TrimSpace(raw))
	switch {
	case nothing && f.Wanted() && len(missing) > 0:
		return fmt.Errorf("the %s must be of the type %s, with %s, and none was given", what, p.Name, strings.Join(missing, ", "))
	case nothing && f.Wanted():
		return fmt.Errorf("the %s must be of the type %s (%s), and none was given", what, p.Name, f.Says())
	case !nothing && len(missing) > 0:
		return fmt.Errorf("the %s lacks %s (%s)", what, strings.Join(missing, ", "), p.Name)
	}
	return nil
}

// PayloadTypes describes an input and an output.
func PayloadTypes(in, out Payload) domain.PayloadTypes {
	return domain.PayloadTypes{Input: in.Name, Output: out.Name, InputSchema: in.Schema, OutputSchema: out.Schema}
}

// Types tells people and programs what the payloads of the saga's runs are.
func (d *Definition) Types() *domain.PlanTypes {
	p := d.Written
	t := &domain.PlanTypes{Description: p.Description, Input: d.Input.Schema, Output: d.Output.Schema, Searchable: p.Searchable, Secret: d.Plan.Secrets()}
	for name, all := range d.Signals {
		if t.Signals == nil {
			t.Signals = make(map[string]json.RawMessage)
		}
		t.Signals[name] = all[0].Schema
		if slices.ContainsFunc(all, func(o Payload) bool { return !bytes.Equal(o.Schema, all[0].Schema) }) {
			t.Signals[name] = json.RawMessage(`{}`)
		}
	}
	return t
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

// CheckSignal refuses a payload that no await of the signal can read. A signal without an await
// may have any payload.
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

// TakesSignal is CheckSignal for a payload that people or programs give as JSON: it refuses, too,
// one that lacks what the awaited type requires.
func (d *Definition) TakesSignal(name string, value json.RawMessage) error {
	if err := d.CheckSignal(name, value); err != nil {
		return err
	}
	var errs []error
	for _, t := range d.Signals[name] {
		err := t.Complete("payload", value)
		if err == nil && t.Check(value) == nil {
			return nil
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: signal %s: %w", domain.ErrBadInput, name, err)
	}
	return nil
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
	return &Definition{Plan: plan, Written: plan, Policies: policiesOf(plan), Actions: []*Action{a}, Code: map[string]Expression{node.Key: input},
		Input: a.Input, Output: a.Output}, nil
}

// policiesOf returns the policies of a plan's actions by key. That of a failure handler has the
// key of the step that it is about, and the handler's name.
func policiesOf(p *domain.Plan) map[string]*domain.Policy {
	policies := make(map[string]*domain.Policy)
	add := func(key string, a *domain.ActionSpec) {
		policy := a.Policy()
		policies[key] = &policy
	}
	if p.OnFailure != nil {
		add(handlerKey(nil), p.OnFailure)
	}
	p.Root.Walk(func(n *domain.Node) {
		if n.Action == nil {
			return
		}
		key := n.Key
		if n.Kind == domain.KindPlan {
			key += "/*/" + domain.PlannerStep
		}
		add(key, n.Action)
		if n.Action.OnFailure != nil {
			add(key+"/"+domain.HandlerStep, n.Action.OnFailure)
		}
	})
	return policies
}

func handlerKey(about *machine.Step) string {
	if about == nil {
		return domain.HandlerStep
	}
	return about.Node.Key + "/" + domain.HandlerStep
}

// hideIn returns what the types keep secret beyond the names that a plan has already.
func hideIn(p *domain.Plan, all ...*payload.Secrets) []string {
	var names []string
	for _, t := range all {
		names = append(names, t.Names...)
	}
	return payload.Without(names, p.Secret)
}
