package saga

import (
	"encoding/json"
	"fmt"
)

// PlannerIn is the input of a planner in each round.
type PlannerIn[In any] struct {
	// Round counts from 1.
	Round int `json:"round"`
	// Input is that of the Plan step.
	Input In `json:"input"`
	// Results are the results of the round before, in order; none in round 1. Use Carry for
	// anything from earlier rounds.
	Results []PlannedResult `json:"results,omitempty"`
	// Carry is [Steps].Carry of the round before, see [PlannerIn.DecodeCarry]; empty in round 1,
	// and if that round returned none.
	Carry json.RawMessage `json:"carry,omitempty"`
}

// DecodeCarry decodes Carry into a pointer. Without a Carry it leaves into unchanged.
func (in PlannerIn[In]) DecodeCarry(into any) error {
	if len(in.Carry) == 0 {
		return nil
	}
	if err := json.Unmarshal(in.Carry, into); err != nil {
		return fmt.Errorf("carry of round %d: %w", in.Round-1, err)
	}
	return nil
}

// PlannedResult is the result of a planned step.
type PlannedResult struct {
	Round  int             `json:"round"`
	Step   string          `json:"step"`
	Action string          `json:"action"`
	Output json.RawMessage `json:"output,omitempty"`
	// Failed is the reason, if the step failed and was ignored.
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
	// Carry is passed to the planner in the next round: a sum, a list of what is left, references.
	// It is any value that encodes to at most 64 KiB of JSON, and is recorded with each round.
	Carry any `json:"carry,omitempty"`
	// Done ends the rounds; Output is then the Plan's output.
	Done   bool `json:"done,omitempty"`
	Output Out  `json:"output"`
}

// NextStep is a step for the next round. [Next] makes one whose types the compiler checks.
type NextStep struct {
	// Name is unique in its round; empty means the action's name.
	Name string `json:"name,omitempty"`
	// Action names an action that is registered with the run's coordinator.
	Action string `json:"action"`
	// Input is anything that encodes to the JSON of the action's input.
	Input any `json:"input"`
	// Rule is what the step's failure leads to; empty means Backward, or the Plan's own rule where
	// that is Forward or Ask.
	Rule Rule `json:"rule,omitempty"`
	// Accept is why an irreversible step may be left behind, see [AcceptIrreversible].
	Accept string `json:"accept,omitempty"`
}

// Next returns a step that runs an action with an input.
func Next[In, Out any](a *Action[In, Out], in In) NextStep {
	return NextStep{Name: a.Name, Action: a.Name, Input: in}
}

// Plan adds a step whose planner, an action, chooses the steps at run time. In each round the
// planner gets the results of the round before and its own [Steps].Carry, and returns further
// steps, until it is done. Each answer is recorded before its steps start, so loops and the plans
// of agents are audited, recovered and undone in reverse like all other steps.
//
// Register the actions that it may plan with the coordinator, or name them with [Uses].
//
// A planned irreversible step is the run's point of no return: a later failure makes the run stuck.
// With an irreversible action among [Uses], the Plan and the steps after it must not fail backward.
// [AcceptIrreversible] accepts such effects for all planned steps. A planned irreversible step that
// fails in doubt makes the run stuck, with or without a Probe, because Define could not check it.
func Plan[In, Out any](f *Flow, name string, planner *Action[PlannerIn[In], Steps[Out]], input func(Scope) In, opts ...PlanOption) Ref[Out] {
	return Ref[Out]{f.in.Plan(name, used(planner), shapeOf[In, Out](), valueOf(input), settings(opts, PlanOption.forPlan))}
}
