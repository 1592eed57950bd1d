package work

import (
	"encoding/json"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/machine"
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
	// Known is the value of Input, if the process that made the task knows it, or nil.
	Known any `json:"-"`
	// Output, InDoubt and Cause are for an undo.
	Output  json.RawMessage `json:"output,omitempty"`
	InDoubt bool            `json:"in_doubt,omitempty"`
	Cause   *domain.Failure `json:"cause,omitempty"`
	// Due is when the attempt is given up, on the coordinator's wall clock. Workers may have other
	// clocks: for them Left is the time that was left when Node sent the task. Sent is that moment
	// on Node's steady clock.
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
	// End is Due by the steady clock of the process that sent the task, in that process.
	End time.Time `json:"-"`
}

// NewTask returns the task of an attempt that the state has started, with what its worker needs to
// know of the run. Known, End and Log are the caller's to set.
func NewTask(s *machine.State, e *domain.AttemptStarted) *Task {
	st := s.Step(e.Step)
	t := &Task{
		Run: s.Run, Saga: s.Start.Saga, Step: e.Step, Action: e.Action, Direction: e.Direction, Attempt: e.Attempt,
		Key: domain.IdempotencyKey(s.Run, e.Step, e.Direction), Input: st.Input, Due: e.Due, Beat: st.Policy().HeartbeatTimeout,
		Details: st.Do.Details, Trace: s.Trace, Node: e.Node, Secret: s.Plan.Secrets(),
	}
	switch e.Direction {
	case domain.Probe:
		t.Key = domain.IdempotencyKey(s.Run, e.Step, domain.Do) // it asks about the do
	case domain.Undo:
		t.Key = s.UndoKey(st)
		t.Output, t.InDoubt, t.Cause, t.Details = st.Output, st.InDoubt, s.UndoCause(st), st.Undo.Details
		if len(t.Output) == 0 {
			t.Output = st.Late
		}
	}
	return t
}

// report returns a report of the task's attempt without an outcome.
func (t *Task) report() *Report {
	return &Report{Run: t.Run, Log: t.Log, Step: t.Step, Direction: t.Direction, Attempt: t.Attempt}
}

// did returns what the task's undo is told of the work to be taken back.
func (t *Task) did() definition.Did {
	d := definition.Did{Key: domain.IdempotencyKey(t.Run, t.Step, domain.Do), Input: t.Input, Output: t.Output, InDoubt: t.InDoubt}
	if t.Cause != nil {
		d.Cause = &domain.FailureError{Failure: t.Cause}
	}
	return d
}

// ID returns the attempt's id.
func (t *Task) ID() AttemptID { return AttemptID{t.Run, t.Step, t.Direction, t.Attempt} }
