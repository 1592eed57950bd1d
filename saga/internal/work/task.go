package work

import (
	"encoding/json"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
)

// Task is one attempt on its way to a worker, the JSON payload of a message.
type Task struct {
	Run       domain.RunID     `json:"run"`
	Saga      string           `json:"saga"`
	Step      string           `json:"step"`
	Action    string           `json:"action"`
	Direction domain.Direction `json:"direction"`
	Attempt   int              `json:"attempt"`
	Key       string           `json:"key"`
	Input     json.RawMessage  `json:"input,omitempty"`
	// Known is the value of Input where the process that made the task knows it, or nil.
	Known any `json:"-"`
	// Output, InDoubt and Cause are for an undo.
	Output  json.RawMessage `json:"output,omitempty"`
	InDoubt bool            `json:"in_doubt,omitempty"`
	Cause   *domain.Failure `json:"cause,omitempty"`
	// Due is when the attempt is given up, by the wall clock of the coordinator. For a worker,
	// whose clock may be another, Left is how long that was when Node sent the task: at Sent,
	// by its clock that is never set.
	Due  time.Time       `json:"due,omitzero"`
	Left domain.Duration `json:"left,omitzero"`
	Sent time.Time       `json:"sent,omitzero"`
	Node string          `json:"node,omitempty"`
	// Beat is the heartbeat timeout, Details those of the attempt before.
	Beat    domain.Duration `json:"heartbeat_timeout,omitzero"`
	Details json.RawMessage `json:"details,omitempty"`
	Trace   string          `json:"traceparent,omitempty"`
	// Log is the id of the log that the run is in; the report names it too.
	Log string `json:"log,omitempty"`
	// Secret lists the fields of the run's payloads that are secret, for the texts of failures.
	Secret []string `json:"secret,omitempty"`
	// End is Due by this process's monotonic clock, in the process that sent the task.
	End time.Time
}

// report returns what is to be said of the task's attempt, without the outcome.
func (t *Task) report() *Report {
	return &Report{Run: t.Run, Log: t.Log, Step: t.Step, Direction: t.Direction, Attempt: t.Attempt}
}

// did is what the undo that the task asks for is told.
func (t *Task) did() definition.Did {
	d := definition.Did{Key: domain.IdempotencyKey(t.Run, t.Step, domain.Do), Input: t.Input, Output: t.Output, InDoubt: t.InDoubt}
	if t.Cause != nil {
		d.Cause = &domain.FailureError{Failure: t.Cause}
	}
	return d
}

// ID names the attempt.
func (t *Task) ID() AttemptID { return AttemptID{t.Run, t.Step, t.Direction, t.Attempt} }
