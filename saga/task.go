package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// ActionTopic returns the topic on which the attempts of an action travel to workers:
// atone.action.NAME, or atone.NAMESPACE.action.NAME. See [Config.Namespace].
func ActionTopic(namespace, action string) string { return topic(namespace, "action."+action) }

// OutcomesTopic returns the topic on which outcomes travel back to coordinators: atone.outcomes, or
// atone.NAMESPACE.outcomes.
func OutcomesTopic(namespace string) string { return topic(namespace, "outcomes") }

func topic(namespace, rest string) string {
	if namespace != "" {
		rest = namespace + "." + rest
	}
	return "atone." + rest
}

// namespacePattern keeps a namespace to what every broker takes in a topic's name.
var namespacePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)

// checkNamespace refuses a namespace that would not do, or that makes topics which others have
// without one.
func checkNamespace(namespace string) error {
	switch {
	case namespace == "":
		return nil
	case !namespacePattern.MatchString(namespace):
		return fmt.Errorf("namespace %q: use letters, digits, '-' and '_', at most 40", namespace)
	case namespace == "action" || namespace == "outcomes":
		return fmt.Errorf("namespace %q is a word of atone's own topics: choose another", namespace)
	}
	return nil
}

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
	// Due is when the attempt is given up, by the wall clock of the coordinator. For a worker, whose clock may be
	// another, Left is how long that was when Node sent the task: at Sent, by its clock that is never set.
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
	// end is Due by this process's monotonic clock, in the process that sent the task.
	end time.Time
}

// report is an outcome, or a heartbeat, on its way to a coordinator.
type report struct {
	Run       domain.RunID     `json:"run"`
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction"`
	Attempt   int              `json:"attempt"`
	// Log is the task's. Older workers do not send it.
	Log     string          `json:"log,omitempty"`
	Output  json.RawMessage `json:"output,omitempty"`
	Failure *domain.Failure `json:"failure,omitempty"`
	// Effect is what the failure says of the attempt's effect. Older workers do not send it.
	Effect  domain.FailureEffect `json:"effect,omitempty"`
	Verdict domain.Verdict       `json:"verdict,omitempty"`
	Emitted []emitted            `json:"emitted,omitempty"`
	// Beat marks a heartbeat with its details.
	Beat    bool            `json:"heartbeat,omitempty"`
	Details json.RawMessage `json:"details,omitempty"`
}

// check refuses what a broker brought and no event could hold: another program may have written it.
func (r *report) check() error {
	errs := []error{accept.Size("the output", r.Output), accept.Readable("the output", r.Output),
		accept.Size("the details", r.Details), accept.Readable("the details", r.Details)}
	size := len(r.Output)
	for _, e := range r.Emitted {
		errs = append(errs, accept.Name("an event's type", e.Type, accept.MaxName), accept.Readable("an event's payload", e.Payload))
		if domain.ReservedType(e.Type) {
			errs = append(errs, fmt.Errorf("an event has the type %.100q, which is atone's own", e.Type))
		}
		size += len(e.Payload)
	}
	if size > maxTogether {
		errs = append(errs, fmt.Errorf("the output and the events are %d bytes; at most %d fit one append", size, maxTogether))
	}
	if f := r.Failure; f != nil {
		own := *f
		own.Message, own.Stack = domain.ShortMessage(f.Message), domain.ShortMessage(f.Stack)
		r.Failure = &own
	}
	return errors.Join(errs...)
}

// said sets what the report's failure says of the effect. Whether the attempt is in doubt is decided by the coordinator; the
// failure says it too, for observers, and for coordinators that are older.
func (r *report) said(e domain.FailureEffect, code *definition.Action) {
	r.Effect = e
	r.Failure.InDoubt = r.Direction == domain.Do && code.Spec.Effect != domain.EffectNone && e != domain.EffectNotDone
}

type emitted struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
	// Secret lists the payload's secret fields. Older workers do not send it.
	Secret []string `json:"secret,omitempty"`
}

// report returns what is to be said of the task's attempt, without the outcome.
func (t *task) report() *report {
	return &report{Run: t.Run, Log: t.Log, Step: t.Step, Direction: t.Direction, Attempt: t.Attempt}
}

// intent returns what the report means to the run's state machine.
func (r *report) intent() machine.Intent {
	if r.Beat {
		return machine.Beat{Step: r.Step, Direction: r.Direction, Attempt: r.Attempt, Details: r.Details}
	}
	o := machine.Outcome{Step: r.Step, Direction: r.Direction, Attempt: r.Attempt, Output: r.Output, Failure: r.Failure, Effect: r.Effect, Verdict: r.Verdict}
	switch {
	case r.Failure == nil || r.Effect != "":
	case r.Direction == domain.Probe && r.Verdict == domain.Applied: // from an older worker, whose answer was too large
		o.Effect = domain.EffectDone
	case r.Failure.InDoubt: // it said so
		o.Effect = domain.EffectInDoubt
	}
	for _, e := range r.Emitted {
		o.Emitted = append(o.Emitted, &domain.DomainEvent{Type: e.Type, Payload: e.Payload, Secret: e.Secret})
	}
	return o
}

// messageSpace is the name space of the ids of messages.
var messageSpace = uuid.MustParse("9d1f0d3b-8f0e-5d0f-9c43-6c8f6c2f9f6e")

// messageID names a message: the same attempt sent twice is the same message. It is a UUID
// (version 5, over topic, log, and the attempt's key, number and kind), because brokers' adapters keep
// ids in 36 characters. Topic and log are part of it because a broker may take an id that it knows
// for a repeat, from another topic too (JetStream does within one stream), and keyed runs of two
// logs can have the same run id.
func messageID(topic, log, key string, attempt int, suffix string) string {
	return uuid.NewSHA1(messageSpace, []byte(topic+"#"+log+"#"+key+"#"+strconv.Itoa(attempt)+suffix)).String()
}

// newMessage wraps a task or report.
func newMessage(ctx context.Context, id string, v any) (*message.Message, error) {
	raw, err := payload.Marshal(v)
	if err != nil {
		return nil, err
	}
	m := message.NewMessage(id, message.Payload(raw))
	m.SetContext(ctx)
	return m, nil
}

// openMessage returns the task or report that a message carries.
func openMessage[T any](m *message.Message) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(m.Payload, v); err != nil {
		return nil, err
	}
	return v, nil
}

// did is what the undo that the task asks for is told.
func (t *task) did() definition.Did {
	d := definition.Did{Key: domain.IdempotencyKey(t.Run, t.Step, domain.Do), Input: t.Input, Output: t.Output, InDoubt: t.InDoubt}
	if t.Cause != nil {
		d.Cause = &domain.FailureError{Failure: t.Cause}
	}
	return d
}
