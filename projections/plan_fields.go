package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
)

// PlanFields are the fields of payloads that a plan names.
type PlanFields struct {
	// Secret fields are shown nowhere. Searchable fields are indexed for text search.
	Secret, Searchable secret.Fields
	// NoPlan says why the log has no such plan: no program goes on with runs of it. It is empty if
	// the log has the plan.
	NoPlan string
}

// ErrNoPlan means that a plan's stream is empty or holds no plan.
var ErrNoPlan = errors.New("plan not found")

// ReadPlanFields reads the fields of the plan with that hash from its stream. With [ErrNoPlan] it
// also returns fields in which everything is secret, because nobody knows what is not.
func ReadPlanFields(ctx context.Context, source Source, hash string) (PlanFields, error) {
	plan, _, bad, err := domain.ReadPlanStream(source.ReadStream(ctx, domain.PlanStream(hash), 0))
	switch {
	case err != nil:
		return PlanFields{}, fmt.Errorf("read plan %s: %w", hash, err)
	case plan != nil:
		plan.Hidden, _, err = domain.ReadSecretsStream(source.ReadStream(ctx, domain.PlanSecretsStream(hash), 0))
		if err != nil {
			return PlanFields{}, fmt.Errorf("read what is secret in plan %s: %w", hash, err)
		}
		types, _, err := domain.ReadTypesStream(source.ReadStream(ctx, domain.PlanTypesStream(hash), 0))
		if err != nil {
			return PlanFields{}, fmt.Errorf("read the types of plan %s: %w", hash, err)
		}
		if types != nil {
			plan.Searchable = types.Searchable
		}
		return PlanFields{Secret: plan.Secrets(), Searchable: plan.Searchable}, nil
	case bad != nil:
		return PlanFields{Secret: secret.All}, fmt.Errorf("%w: %w", ErrNoPlan, bad)
	}
	return PlanFields{Secret: secret.All}, fmt.Errorf("%s: %w", hash, ErrNoPlan)
}

// SecretFields returns the fields of payloads that the plan with that hash keeps secret: all
// fields, if the plan is not in the log.
func SecretFields(ctx context.Context, source Source, hash string) (secret.Fields, error) {
	fields, err := ReadPlanFields(ctx, source, hash)
	if errors.Is(err, ErrNoPlan) {
		err = nil
	}
	return fields.Secret, err
}
