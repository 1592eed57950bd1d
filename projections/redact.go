package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
)

// Redacted is what stands in the place of a secret value.
const Redacted = secret.Redacted

// Fields selects members of JSON payloads, see [secret.Fields].
type Fields = secret.Fields

// Redact returns the payload with the values of the secret fields replaced by [Redacted], see [secret.Redact].
func Redact(payload json.RawMessage, fields Fields) json.RawMessage {
	return secret.Redact(payload, fields)
}

// errNoPlan means that a plan's stream is empty or holds none.
var errNoPlan = errors.New("plan not found")

// readPlanFields reads the secret and searchable fields of a plan from its stream. Where the plan
// is not there everything is secret: nobody can say what is not.
func readPlanFields(ctx context.Context, source Source, hash string) (hidden, searchable Fields, err error) {
	plan, _, bad, err := domain.ReadPlanStream(source.ReadStream(ctx, domain.PlanStream(hash), 0))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read plan %s: %w", hash, err)
	case plan != nil:
		plan.Hidden, _, err = domain.ReadSecretsStream(source.ReadStream(ctx, domain.PlanSecretsStream(hash), 0))
		if err != nil {
			return nil, nil, fmt.Errorf("read what is secret in plan %s: %w", hash, err)
		}
		return plan.Secrets(), plan.Searchable, nil
	case bad != nil:
		return secret.All, nil, fmt.Errorf("%w: %w", errNoPlan, bad)
	}
	return secret.All, nil, fmt.Errorf("%s: %w", hash, errNoPlan)
}
