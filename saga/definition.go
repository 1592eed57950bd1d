package saga

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// AnySaga is a saga of whatever types. Only *Saga implements it.
type AnySaga interface {
	// SagaName returns the name and version.
	SagaName() (name string, version int)
	compile() (*definition, error)
}

// definition is a saga as the coordinator sees it: its plan and its code, without types.
type definition struct {
	plan *domain.Plan
	// code holds the expressions of the nodes by key ([domain.Node.Key]); returnKey is that of
	// the return expression.
	code map[string]expression
	// actions are all that the plan names, with failure handlers; children are the sagas it starts.
	actions  []*actionCode
	children []AnySaga
	// signals are the types of what is awaited, by the signal's name.
	signals map[string][]payloadType
	// checkInput reports whether an input can be read.
	checkInput      func(json.RawMessage) error
	inType, outType string
	// plans means that steps are planned at run time, of whatever actions are registered then.
	plans bool
}

// payloadType is the type of a signal's payload, and whether some JSON fits it.
type payloadType struct {
	name  string
	check func(json.RawMessage) error
}

// checkSignal refuses a payload that no await of the signal could read. A signal that nothing awaits is anybody's.
func (d *definition) checkSignal(name string, payload json.RawMessage) error {
	var errs []error
	for _, t := range d.signals[name] {
		err := t.check(payload)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s awaits %s: %w", d.plan.Saga, t.name, err))
	}
	if errs == nil {
		return nil
	}
	return fmt.Errorf("%w: signal %s: %w", ErrBadInput, name, errors.Join(errs...))
}

// returnKey is the key of the expression that computes a run's output.
const returnKey = "return"

// expression is the code of one node. One field is set, by the node's kind. Expressions are
// evaluated when the step is reached, and what they return is recorded; a replay does not call
// them. They may panic: the step then fails for good.
type expression struct {
	// value computes the input of a do, child or plan, or the value of a compute.
	value func(Scope) (json.RawMessage, error)
	// choose picks the branch of a switch, -1 for none, and its label.
	choose func(Scope) (int, string)
	// items lists the items of an each.
	items func(Scope) ([]json.RawMessage, error)
	// rest says how long a step sleeps, or until when.
	rest func(v Scope) rest
	// correlation names the correlation id of an awaited domain event.
	correlation func(Scope) string
}

// Scope is what an expression sees of its run: the outputs of earlier steps, read with
// [Ref.In]. It is only valid during the call.
type Scope struct {
	state *machine.State
	step  *machine.Step // nil for the return expression
	probe *scopeProbe   // set while a definition is checked
}
