package work

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/machine"
)

// Report is an outcome, or a heartbeat, on its way to a coordinator.
type Report struct {
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
	Emitted []Emitted            `json:"emitted,omitempty"`
	// Beat marks a heartbeat with its details.
	Beat    bool            `json:"heartbeat,omitempty"`
	Details json.RawMessage `json:"details,omitempty"`
}

// check refuses a report from a broker that does not fit an event. Another program may have written
// it.
func (r *Report) check() error {
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

// said sets the effect in the report from its failure. The coordinator decides whether the attempt
// is in doubt; the failure says so too, for observers and older coordinators.
func (r *Report) said(e domain.FailureEffect, code *definition.Action) {
	r.Effect = e
	r.Failure.InDoubt = r.Direction == domain.Do && code.Spec.Effect != domain.EffectNone && e != domain.EffectNotDone
}

// Emitted is a domain event that a handler emitted.
type Emitted struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
	// Secret lists the payload's secret fields. Older workers do not send it.
	Secret []string `json:"secret,omitempty"`
}

// Intent returns the intent for the run's state machine.
func (r *Report) Intent() machine.Intent {
	if r.Beat {
		return machine.Beat{Step: r.Step, Direction: r.Direction, Attempt: r.Attempt, Details: r.Details}
	}
	o := machine.Outcome{Step: r.Step, Direction: r.Direction, Attempt: r.Attempt, Output: r.Output, Failure: r.Failure, Effect: r.Effect, Verdict: r.Verdict}
	switch {
	case r.Failure == nil || r.Effect != "":
	case r.Direction == domain.Probe && r.Verdict == domain.Applied:
		// An older worker, whose answer was too large.
		o.Effect = domain.EffectDone
	case r.Failure.InDoubt: // the worker said so
		o.Effect = domain.EffectInDoubt
	}
	for _, e := range r.Emitted {
		o.Emitted = append(o.Emitted, &domain.DomainEvent{Type: e.Type, Payload: e.Payload, Secret: e.Secret})
	}
	return o
}
