package domain

import (
	"encoding/json"
	"time"
)

// Attempt tells a handler what it is called for.
type Attempt struct {
	Run       RunID
	Saga      string
	Step      string
	Action    string
	Direction Direction
	// Number counts the attempts of the step in this direction, from 1.
	Number int
	// Key is the idempotency key: the same for every attempt of the step and direction. Pass it to
	// the systems that the handler calls.
	Key string
	// Deadline is when the attempt is given up, by the clock of this process; zero for never.
	Deadline time.Time
	// Trace is the W3C traceparent of the run, if there is one.
	Trace string
}

// PlannerInput is the JSON shape of a planner's input.
type PlannerInput struct {
	// Round counts from 1.
	Round int `json:"round"`
	// Input is the plan step's own.
	Input json.RawMessage `json:"input"`
	// Results are the steps of the round before, in order. Logs of earlier versions have those of
	// all rounds.
	Results []PlannedResult `json:"results,omitempty"`
	// Carry is what the planner returned with the round before, to be given back.
	Carry json.RawMessage `json:"carry,omitempty"`
}

// CarryOf returns what a planner's answer has for the planner of the next round.
func CarryOf(answer json.RawMessage) json.RawMessage {
	var a struct {
		Carry json.RawMessage `json:"carry"`
	}
	if json.Unmarshal(answer, &a) != nil || string(a.Carry) == "null" {
		return nil // what is not an answer has planned nothing
	}
	return a.Carry
}

// PlannedResult is the end of a planned step, as a planner sees it.
type PlannedResult struct {
	Round  int             `json:"round"`
	Step   string          `json:"step"`
	Action string          `json:"action"`
	Output json.RawMessage `json:"output,omitempty"`
	// Failed is the reason, where the step failed and was ignored.
	Failed string `json:"failed,omitempty"`
}

// FailureReport is the JSON shape of a failure handler's input.
type FailureReport struct {
	Run     RunID           `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	Input   json.RawMessage `json:"input,omitempty"`
	// State is the run's state when the handler was started.
	State RunState `json:"state"`
	// Step is the step that failed, empty in the report of a run.
	Step  string   `json:"step,omitempty"`
	Cause *Failure `json:"cause,omitempty"`
	// StepInput is the failed step's input.
	StepInput json.RawMessage `json:"step_input,omitempty"`
	// Undone lists the steps that were undone, NotUndone those whose effect stands.
	Undone    []string `json:"undone,omitempty"`
	NotUndone []string `json:"not_undone,omitempty"`
}
