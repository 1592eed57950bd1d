package domain

import (
	"encoding/json"
	"iter"
	"slices"
)

// PlanSecrets is the wire name of the events that list further fields of a plan's payloads that are
// shown as redacted.
const PlanSecrets = "plan.secrets.v1"

// PlanSecretsStream returns the name of the stream of those events. It is not the plan's own: older
// programs verify that one, and report anything in it that is not a plan.
func PlanSecretsStream(hash string) string { return SystemPrefix + "secrets-" + hash }

// planSecrets is the data of a plan.secrets.v1 event.
type planSecrets struct {
	Secret []string `json:"secret"`
}

// NewPlanSecrets returns the data of a plan.secrets.v1 event.
func NewPlanSecrets(fields []string) ([]byte, error) { return json.Marshal(planSecrets{fields}) }

// Secrets returns the fields of payloads that are shown as redacted.
func (p *Plan) Secrets() []string {
	if len(p.Hidden) == 0 {
		return p.Secret
	}
	all := slices.Concat(p.Secret, p.Hidden)
	slices.Sort(all)
	return slices.Compact(all)
}

// ReadPlanStream reads a plan from the events of its stream, and the revision of the last event up
// to there. It passes over an event that holds no plan: a program that has the plan stores it again
// behind that event. Without a plan in the stream, plan is nil, and bad says why the last event is
// not one. err is an error of reading.
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

// ReadSecretsStream reads the fields that the events of a [PlanSecretsStream] list, sorted, and the
// last of their revisions.
func ReadSecretsStream(events iter.Seq2[Recorded, error]) (fields []string, last Expected, err error) {
	last = NoStream
	for e, err := range events {
		if err != nil {
			return nil, last, err
		}
		last = Expected(e.Revision)
		var s planSecrets
		if e.Type != PlanSecrets || json.Unmarshal(e.Data, &s) != nil {
			s.Secret = []string{"*"} // it says that something is secret, and not what
		}
		fields = append(fields, s.Secret...)
	}
	slices.Sort(fields)
	return slices.Compact(fields), last, nil
}
