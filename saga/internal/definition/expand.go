package definition

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// maxCarry bounds what a planner carries from round to round, in bytes, because each round records
// it again.
const maxCarry = 64 << 10

// plannerAnswer is a planner's output without types.
type plannerAnswer struct {
	Do       []plannedStep   `json:"do"`
	Parallel bool            `json:"parallel"`
	Carry    json.RawMessage `json:"carry"`
	Done     bool            `json:"done"`
	Output   json.RawMessage `json:"output"`
}

// plannedStep is a step that a planner returned.
type plannedStep struct {
	Name   string          `json:"name"`
	Action string          `json:"action"`
	Input  json.RawMessage `json:"input"`
	Rule   domain.Rule     `json:"rule"`
	Accept string          `json:"accept"`
}

// Expand turns a planner's answer into nodes and their inputs, or returns all its errors. action
// returns a registered action by name, or nil.
func Expand(action func(name string) *Action, planNode *domain.Node, plannerOutput json.RawMessage) (machine.Planned, error) {
	planner := planNode.Action.Name
	answer, err := payload.Decode[plannerAnswer](plannerOutput)
	switch {
	case err != nil:
		return machine.Planned{}, fmt.Errorf("planner %s: answer: %w", planner, err)
	case len(answer.Carry) > maxCarry:
		return machine.Planned{}, fmt.Errorf("planner %s: its Carry is %d bytes; at most %d fit: store it elsewhere and carry a reference", planner, len(answer.Carry), maxCarry)
	case answer.Done && len(answer.Do) > 0:
		return machine.Planned{}, fmt.Errorf("planner %s: sets Done and returns %d steps: do one or the other", planner, len(answer.Do))
	case answer.Done:
		return machine.Planned{Done: true, Output: answer.Output}, nil
	case len(answer.Do) == 0:
		return machine.Planned{}, fmt.Errorf("planner %s: returns no steps and is not Done", planner)
	}
	round := machine.Planned{Steps: &domain.Node{Kind: domain.KindSequence}}
	if answer.Parallel {
		round.Steps.Kind = domain.KindParallel
	}
	var errs []error
	names := map[string]bool{}
	for i, next := range answer.Do {
		node, err := next.node(action, planNode)
		if node != nil {
			if names[node.Name] {
				err = errors.Join(err, errors.New("two steps of the round have this name: set NextStep.Name"))
			}
			names[node.Name] = true
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("step %d %q: %w", i+1, cmp.Or(next.Name, next.Action), err))
			continue
		}
		round.Steps.Children = append(round.Steps.Children, node)
		round.Inputs = append(round.Inputs, next.input())
	}
	errs = append(errs, plannedOrder(round.Steps))
	if err := errors.Join(errs...); err != nil {
		return machine.Planned{}, fmt.Errorf("planner %s: %w", planner, err)
	}
	return round, nil
}

// node makes the node of one planned step.
func (next plannedStep) node(action func(string) *Action, planNode *domain.Node) (*domain.Node, error) {
	code := action(next.Action)
	if code == nil {
		return nil, fmt.Errorf("%w %q: register it", domain.ErrUnknownAction, next.Action)
	}
	spec := code.Spec
	node := &domain.Node{Name: cmp.Or(next.Name, next.Action), Kind: domain.KindDo, Action: &spec, Rule: next.Rule, Accepted: next.Accept}
	if spec.Effect == domain.EffectIrreversible {
		node.Accepted = cmp.Or(next.Accept, planNode.Accepted)
	}
	var errs []error
	if why, taken := reserved[node.Name]; taken {
		errs = append(errs, fmt.Errorf("the name is reserved: %s", why))
	} else if !ValidName(node.Name) {
		errs = append(errs, errors.New("bad name: "+BadName))
	}
	switch node.Rule {
	case "":
		node.Rule = domain.RuleBackward
		if planNode.Rule == domain.RuleForward || planNode.Rule == domain.RuleAsk {
			node.Rule = planNode.Rule
		}
	case domain.RuleBackward, domain.RuleForward, domain.RuleAsk, domain.RuleIgnore:
	default:
		errs = append(errs, fmt.Errorf("rule %q: use backward, forward, ask or ignore", node.Rule))
	}
	if node.Accepted != "" && spec.Effect != domain.EffectIrreversible {
		errs = append(errs, fmt.Errorf("nothing to accept: the action's effect is %q", spec.Effect))
	}
	if err := code.Input.Check(next.input()); err != nil {
		errs = append(errs, fmt.Errorf("input: %w", err))
	}
	return node, errors.Join(errs...)
}

func (next plannedStep) input() json.RawMessage {
	if len(next.Input) == 0 {
		return json.RawMessage("null")
	}
	return next.Input
}

// plannedOrder checks the order of a round, as checkOrder does that of a plan: no step fails
// backward after, or beside, a step that can't be undone.
func plannedOrder(steps *domain.Node) error {
	stays := func(n *domain.Node) bool { return n.Action.Effect == domain.EffectIrreversible && n.Accepted == "" }
	var errs []error
	for i, point := range steps.Children {
		if !stays(point) {
			continue
		}
		for j, n := range steps.Children {
			if n.Rule == domain.RuleBackward && j != i && (j > i || steps.Kind == domain.KindParallel) {
				errs = append(errs, fmt.Errorf("%s → %s: %s is irreversible, and a failure would leave its effect behind; make %s Forward, or plan it in an earlier round", point.Name, n.Name, point.Action.Name, n.Name))
			}
		}
		break
	}
	return errors.Join(errs...)
}
