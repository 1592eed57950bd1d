package saga

import (
	"encoding/json"
	"fmt"
)

// PlannerIn is what a planner is called with, round after round.
type PlannerIn[In any] struct {
	// Round counts from 1.
	Round int `json:"round"`
	// Input is that of the Plan step.
	Input In `json:"input"`
	// Results are the steps of the round before, in order; none in round 1. What a planner needs of
	// earlier ones it carries along.
	Results []PlannedResult `json:"results,omitempty"`
	// Carry is [Steps].Carry of the round before, see [PlannerIn.DecodeCarry]; empty in round 1,
	// and where that round returned none.
	Carry json.RawMessage `json:"carry,omitempty"`
}

// DecodeCarry reads what the round before carried along. It leaves into as it is where there is
// nothing.
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
	// Carry is given to the planner of the next round: a sum, what is still to be done, references.
	// It is anything that encodes to JSON, of at most 64 KiB, and is recorded with each round.
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

// Plan adds a step whose planner, an action, says at run time what is done: round after round it is
// called with the results of the round before, and with what it carries along itself
// ([Steps].Carry), and returns further steps, until it is done. Each answer is recorded before its
// steps start, so that loops, and the plans of agents, are audited and recovered like everything
// else, and undone in reverse.
//
// The actions that it may plan are registered with the coordinator, or named by [Uses].
//
// A planned irreversible step is the run's point of no return: what fails after it makes the run
// stuck. With one among [Uses], the Plan and what follows it may not fail backward.
// [AcceptIrreversible] accepts it for every step that is planned. One that fails and may have taken
// effect all the same makes the run stuck, whether or not its action has a Probe: no definition is
// there to refuse it.
func Plan[In, Out any](f *Flow, name string, planner *Action[PlannerIn[In], Steps[Out]], input func(Scope) In, opts ...PlanOption) Ref[Out] {
	return Ref[Out]{f.in.Plan(name, used(planner), shapeOf[In, Out](), valueOf(input), settings(opts, PlanOption.forPlan))}
}
