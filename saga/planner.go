package saga

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// PlannerIn is what a planner is called with, round after round.
type PlannerIn[In any] struct {
	// Round counts from 1.
	Round int `json:"round"`
	// Input is that of the Plan step.
	Input In `json:"input"`
	// Results are the steps of the round before, in order; none in round 1. What a planner needs of earlier ones
	// it carries along.
	Results []PlannedResult `json:"results,omitempty"`
	// Carry is [Steps].Carry of the round before, see [PlannerIn.DecodeCarry]; empty in round 1, and where that
	// round returned none.
	Carry json.RawMessage `json:"carry,omitempty"`
}

// DecodeCarry reads what the round before carried along. It leaves into as it is where there is nothing.
func (in PlannerIn[In]) DecodeCarry(into any) error {
	if len(in.Carry) == 0 {
		return nil
	}
	if err := json.Unmarshal(in.Carry, into); err != nil {
		return fmt.Errorf("carry of round %d: %w", in.Round-1, err)
	}
	return nil
}

// PlannedResult is how a planned step ended.
type PlannedResult struct {
	Round  int             `json:"round"`
	Step   string          `json:"step"`
	Action string          `json:"action"`
	Output json.RawMessage `json:"output,omitempty"`
	// Failed is the reason, where the step failed and was ignored.
	Failed string `json:"failed,omitempty"`
}

// Decode reads the step's output.
func (r PlannedResult) Decode(into any) error {
	if err := json.Unmarshal(r.Output, into); err != nil {
		return fmt.Errorf("output of %s in round %d: %w", r.Step, r.Round, err)
	}
	return nil
}

// Steps is what a planner returns: the steps of the next round, or that it is done.
type Steps[Out any] struct {
	// Do are the next steps, one after the other or, with Parallel, at once.
	Do       []NextStep `json:"do,omitempty"`
	Parallel bool       `json:"parallel,omitempty"`
	// Carry is given to the planner of the next round: a sum, what is still to be done, references. It is anything
	// that encodes to JSON, of at most 64 KiB, and is recorded with each round.
	Carry any `json:"carry,omitempty"`
	// Done ends the rounds; Output is then the Plan's output.
	Done   bool `json:"done,omitempty"`
	Output Out  `json:"output"`
}

// NextStep is a step that a planner wants done. [Next] makes one with its types checked.
type NextStep struct {
	// Name is unique in its round; empty means the action's name.
	Name string `json:"name,omitempty"`
	// Action names an action that is registered where the run is.
	Action string `json:"action"`
	// Input is anything that encodes to the JSON of the action's input.
	Input any `json:"input"`
	// Rule is what the step's failure leads to; empty means Backward, or the Plan's own rule where
	// that is Forward or Ask.
	Rule Rule `json:"rule,omitempty"`
	// Accept is why an irreversible step may be left behind, see [AcceptIrreversible].
	Accept string `json:"accept,omitempty"`
}

// Next is the step that runs an action with an input.
func Next[In, Out any](a *Action[In, Out], in In) NextStep {
	return NextStep{Name: a.Name, Action: a.Name, Input: in}
}

// Plan adds a step whose planner, an action, says at run time what is done: round after round it
// is called with the results of the round before, and with what it carries along itself ([Steps].Carry), and
// returns further steps, until it is done. Each answer is
// recorded before its steps start, so that loops, and the plans of agents, are audited and
// recovered like everything else, and undone in reverse.
//
// The actions that it may plan are registered with the coordinator, or named by [Uses].
//
// A planned irreversible step is the run's point of no return: what fails after it makes the
// run stuck. With one among [Uses], the Plan and what follows it may not fail backward.
// [AcceptIrreversible] accepts it for every step that is planned. One that fails and may have taken effect all the
// same makes the run stuck, whether or not its action has a Probe: no definition is there to refuse it.
func Plan[In, Out any](f *Flow, name string, planner *Action[PlannerIn[In], Steps[Out]], input func(Scope) In, opts ...StepOption) Ref[Out] {
	spec, bad := f.b.specOf(planner)
	node := &domain.Node{Kind: domain.KindPlan, Action: spec, MaxRounds: defaultRounds}
	st, conf := f.add(node, name, "plan", opts)
	f.b.plans = true
	f.b.failAll(st.key, bad)
	for _, a := range conf.uses {
		if a == nil {
			f.b.fail(st.key, "Uses names a nil action")
			continue
		}
		used, bad := f.b.specOf(a)
		f.b.failAll(st.key, bad)
		if c := f.b.byName[used.Name]; c != nil && c.unreadable != "" {
			f.b.fail(st.key, "action %s: %s: use a type that JSON writes and reads", used.Name, c.unreadable)
		}
		if used.Effect == domain.EffectIrreversible {
			st.mayPlan = orElse(st.mayPlan, used.Name)
		}
	}
	f.b.uses(st.key, reflect.TypeFor[In]())
	f.b.uses(st.key, reflect.TypeFor[Out]())
	f.b.expr(st, valueOf(input), input == nil, "its input function", tryOf(input))
	if input != nil {
		f.b.code[st.key+"/*/"+machine.PlannerStep] = f.b.code[st.key] // asked for by the planner of round 1
	}
	return Ref[Out]{st.source()}
}

// defaultRounds is MaxRounds where the author does not say.
const defaultRounds = 100

// maxCarry bounds what a planner carries from round to round, in bytes: each round records it anew.
const maxCarry = 64 << 10

// plannerAnswer is a planner's output without types.
type plannerAnswer struct {
	Do []struct {
		NextStep
		Input json.RawMessage `json:"input"`
	} `json:"do"`
	Parallel bool            `json:"parallel"`
	Carry    json.RawMessage `json:"carry"`
	Done     bool            `json:"done"`
	Output   json.RawMessage `json:"output"`
}

// expand turns a planner's answer into nodes and their inputs, or says everything that is wrong
// with it. The actions are those registered, by name.
func expand(actions map[string]*actionCode, planNode *domain.Node, plannerOutput json.RawMessage) (steps *domain.Node, inputs []json.RawMessage, done bool, output json.RawMessage, err error) {
	answer, err := decode[plannerAnswer](plannerOutput)
	switch {
	case err != nil:
		return nil, nil, false, nil, fmt.Errorf("planner %s: answer: %w", planNode.Action.Name, err)
	case len(answer.Carry) > maxCarry:
		return nil, nil, false, nil, fmt.Errorf("planner %s: its Carry is %d bytes; at most %d fit: store it elsewhere and carry a reference", planNode.Action.Name, len(answer.Carry), maxCarry)
	case answer.Done && len(answer.Do) > 0:
		return nil, nil, false, nil, fmt.Errorf("planner %s: says Done and returns %d steps: it does one or the other", planNode.Action.Name, len(answer.Do))
	case answer.Done:
		return nil, nil, true, answer.Output, nil
	case len(answer.Do) == 0:
		return nil, nil, false, nil, fmt.Errorf("planner %s: returns no steps and is not Done", planNode.Action.Name)
	}
	steps = &domain.Node{Kind: domain.KindSequence}
	if answer.Parallel {
		steps.Kind = domain.KindParallel
	}
	var errs []error
	names := map[string]bool{}
	for i, next := range answer.Do {
		node, input, err := plannedStep(actions, planNode, next.NextStep, next.Input)
		if node != nil {
			if names[node.Name] {
				err = errors.Join(err, errors.New("two steps of the round have this name: set NextStep.Name"))
			}
			names[node.Name] = true
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("step %d %q: %w", i+1, orElse(next.Name, next.Action), err))
			continue
		}
		steps.Children = append(steps.Children, node)
		inputs = append(inputs, input)
	}
	errs = append(errs, plannedOrder(steps))
	if err := errors.Join(errs...); err != nil {
		return nil, nil, false, nil, fmt.Errorf("planner %s: %w", planNode.Action.Name, err)
	}
	return steps, inputs, false, nil, nil
}

// plannedStep makes the node of one planned step.
func plannedStep(actions map[string]*actionCode, planNode *domain.Node, next NextStep, input json.RawMessage) (*domain.Node, json.RawMessage, error) {
	code := actions[next.Action]
	if code == nil {
		return nil, nil, fmt.Errorf("%w %q: register it", ErrUnknownAction, next.Action)
	}
	spec := code.spec
	node := &domain.Node{Name: orElse(next.Name, next.Action), Kind: domain.KindDo, Action: &spec, Rule: next.Rule, Accepted: next.Accept}
	if spec.Effect == domain.EffectIrreversible {
		node.Accepted = orElse(next.Accept, planNode.Accepted)
	}
	var errs []error
	if why, taken := reserved[node.Name]; taken {
		errs = append(errs, fmt.Errorf("the name is reserved: %s", why))
	} else if !namePattern.MatchString(node.Name) {
		errs = append(errs, errors.New("bad name: use 1 to 100 letters, digits, '-', '_' or '.', beginning with a letter or digit"))
	}
	switch node.Rule {
	case "":
		node.Rule = Backward
		if planNode.Rule == Forward || planNode.Rule == Ask {
			node.Rule = planNode.Rule
		}
	case Backward, Forward, Ask, Ignore:
	default:
		errs = append(errs, fmt.Errorf("rule %q: use backward, forward, ask or ignore", node.Rule))
	}
	if node.Accepted != "" && spec.Effect != domain.EffectIrreversible {
		errs = append(errs, fmt.Errorf("nothing to accept: the action's effect is %q", spec.Effect))
	}
	if len(input) == 0 {
		input = json.RawMessage("null")
	}
	if err := code.check(input); err != nil {
		errs = append(errs, fmt.Errorf("input: %w", err))
	}
	return node, input, errors.Join(errs...)
}

// plannedOrder holds a round to rule 9: nothing that fails backward after, or beside, a step that
// can't be undone.
func plannedOrder(steps *domain.Node) error {
	stays := func(n *domain.Node) bool { return n.Action.Effect == domain.EffectIrreversible && n.Accepted == "" }
	var errs []error
	for i, point := range steps.Children {
		if !stays(point) {
			continue
		}
		for j, n := range steps.Children {
			if n.Rule == Backward && j != i && (j > i || steps.Kind == domain.KindParallel) {
				errs = append(errs, fmt.Errorf("%s → %s: %s is irreversible, and a failure would leave its effect behind; make %s Forward, or plan it in an earlier round", point.Name, n.Name, point.Action.Name, n.Name))
			}
		}
		break
	}
	return errors.Join(errs...)
}
