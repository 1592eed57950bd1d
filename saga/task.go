package saga

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// ActionTopic returns the topic on which the attempts of an action travel to workers.
func ActionTopic(action string) string { return "atone.action." + action }

// OutcomesTopic is the topic on which outcomes travel back to coordinators.
const OutcomesTopic = "atone.outcomes"

// task is one attempt on its way to a worker, the JSON payload of a message.
type task struct {
	Run       domain.RunID     `json:"run"`
	Saga      string           `json:"saga"`
	Step      string           `json:"step"`
	Action    string           `json:"action"`
	Direction domain.Direction `json:"direction"`
	Attempt   int              `json:"attempt"`
	Key       string           `json:"key"`
	Input     json.RawMessage  `json:"input,omitempty"`
	// Output, InDoubt and Cause are for an undo.
	Output  json.RawMessage `json:"output,omitempty"`
	InDoubt bool            `json:"in_doubt,omitempty"`
	Cause   *domain.Failure `json:"cause,omitempty"`
	// Due is when the attempt is given up.
	Due time.Time `json:"due,omitzero"`
	// Beat is the heartbeat timeout, Details those of the attempt before.
	Beat    domain.Duration `json:"heartbeat_timeout,omitzero"`
	Details json.RawMessage `json:"details,omitempty"`
	Trace   string          `json:"traceparent,omitempty"`
}

// report is an outcome, or a heartbeat, on its way to a coordinator.
type report struct {
	Run       domain.RunID     `json:"run"`
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction"`
	Attempt   int              `json:"attempt"`
	Output    json.RawMessage  `json:"output,omitempty"`
	Failure   *domain.Failure  `json:"failure,omitempty"`
	// Effect is what the failure says of the attempt's effect. Older workers do not send it.
	Effect  domain.FailureEffect `json:"effect,omitempty"`
	Verdict domain.Verdict       `json:"verdict,omitempty"`
	Emitted []emitted            `json:"emitted,omitempty"`
	// Beat marks a heartbeat with its details.
	Beat    bool            `json:"heartbeat,omitempty"`
	Details json.RawMessage `json:"details,omitempty"`
}

type emitted struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// intent returns what the report means to the run's state machine.
func (r *report) intent() machine.Intent {
	if r.Beat {
		return machine.Beat{Step: r.Step, Direction: r.Direction, Attempt: r.Attempt, Details: r.Details}
	}
	o := machine.Outcome{Step: r.Step, Direction: r.Direction, Attempt: r.Attempt, Output: r.Output, Failure: r.Failure, Verdict: r.Verdict}
	for _, e := range r.Emitted {
		o.Emitted = append(o.Emitted, &domain.DomainEvent{Type: e.Type, Payload: e.Payload})
	}
	return o
}

// messageID names a message: the same attempt sent twice is the same message.
func messageID(key string, attempt int, suffix string) string {
	return key + "#" + strconv.Itoa(attempt) + suffix
}

type sidecarKey struct{}

// newMessage wraps a task or report. Within a process the value itself rides along in the
// message's context and saves the receiver the decoding.
func newMessage(ctx context.Context, id string, v any) (*message.Message, error) {
	payload, err := encode(v)
	if err != nil {
		return nil, err
	}
	m := message.NewMessage(id, message.Payload(payload))
	m.SetContext(context.WithValue(ctx, sidecarKey{}, v))
	return m, nil
}

// openMessage returns the task or report that a message carries.
func openMessage[T any](m *message.Message) (*T, error) {
	if v, ok := m.Context().Value(sidecarKey{}).(*T); ok {
		return v, nil
	}
	v := new(T)
	if err := json.Unmarshal(m.Payload, v); err != nil {
		return nil, err
	}
	return v, nil
}
