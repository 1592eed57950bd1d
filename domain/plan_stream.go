package domain

import (
	"encoding/json"
	"iter"
	"slices"
)

// PlanSecrets is the wire name of the events that list further redacted fields of a plan's
// payloads.
const PlanSecrets = "plan.secrets.v1"

// PlanSecretsStream returns the name of the stream of those events. It is not the plan's stream,
// because older programs verify that one and report anything in it that is not a plan.
func PlanSecretsStream(hash string) string { return SystemPrefix + "secrets-" + hash }

// planSecrets is the data of a plan.secrets.v1 event.
type planSecrets struct {
	Secret []string `json:"secret"`
}

// NewPlanSecrets returns the data of a plan.secrets.v1 event.
func NewPlanSecrets(fields []string) ([]byte, error) { return json.Marshal(planSecrets{fields}) }

// PlanTyped is the wire name of the events that describe the payloads of a plan's runs.
const PlanTyped = "plan.typed.v1"

// PlanTypesStream returns the name of the stream of those events, the latest of which holds. They
// are not part of the plan: what a program says of its types may change from one build to the
// next.
func PlanTypesStream(hash string) string { return SystemPrefix + "types-" + hash }

// PlanTypes is the data of a plan.typed.v1 event: what programs and people are told of the
// payloads of a plan's runs. Schemas are JSON Schemas (draft 2020-12).
type PlanTypes struct {
	Description string          `json:"description,omitempty"`
	Input       json.RawMessage `json:"input,omitempty"`
	Output      json.RawMessage `json:"output,omitempty"`
	// Signals has the schema of each awaited signal's payload, by the signal's name.
	Signals map[string]json.RawMessage `json:"signals,omitempty"`
	// Searchable and Secret list the fields that are searched, and those that are shown redacted,
	// as the plan does.
	Searchable []string `json:"searchable,omitempty"`
	Secret     []string `json:"secret,omitempty"`
}

// PayloadTypes are the types of an input and an output: names in Go, and JSON Schemas.
type PayloadTypes struct {
	Input        string          `json:"input"`
	Output       string          `json:"output"`
	InputSchema  json.RawMessage `json:"input_schema,omitempty"`
	OutputSchema json.RawMessage `json:"output_schema,omitempty"`
}

// ReadTypesStream returns what the latest event of a [PlanTypesStream] says, nil where there is
// none that can be read, and the stream's last revision.
func ReadTypesStream(events iter.Seq2[Recorded, error]) (types *PlanTypes, last Expected, err error) {
	last = NoStream
	for e, err := range events {
		if err != nil {
			return nil, last, err
		}
		last = Expected(e.Revision)
		var t PlanTypes
		if e.Type == PlanTyped && json.Unmarshal(e.Data, &t) == nil {
			types = &t
		}
	}
	return types, last, nil
}

// Secrets returns the redacted fields of payloads.
func (p *Plan) Secrets() []string {
	if len(p.Hidden) == 0 {
		return p.Secret
	}
	all := slices.Concat(p.Secret, p.Hidden)
	slices.Sort(all)
	return slices.Compact(all)
}

// ReadPlanStream reads a plan from the events of its stream, and the revision of the last event
// read. It skips an event that holds no plan: a program that has the plan stores it again after
// that event. If the stream has no plan, plan is nil, and bad says why the last event is not one.
// err is an error of reading.
func ReadPlanStream(events iter.Seq2[Recorded, error]) (plan *Plan, last Expected, bad, err error) {
	last = NoStream
	for e, err := range events {
		if err != nil {
			return nil, last, bad, err
		}
		last = Expected(e.Revision)
		if plan, bad = ParsePlan(e.Data); bad == nil {
			return plan, last, nil, nil
		}
	}
	return nil, last, bad, nil
}

// ReadSecretsStream reads the fields that the events of a [PlanSecretsStream] list, sorted, and
// the last of their revisions.
func ReadSecretsStream(events iter.Seq2[Recorded, error]) (fields []string, last Expected, err error) {
	last = NoStream
	for e, err := range events {
		if err != nil {
			return nil, last, err
		}
		last = Expected(e.Revision)
		var s planSecrets
		if e.Type != PlanSecrets || json.Unmarshal(e.Data, &s) != nil {
			s.Secret = []string{"*"} // the event says that something is secret, but not what
		}
		fields = append(fields, s.Secret...)
	}
	slices.Sort(fields)
	return slices.Compact(fields), last, nil
}
