package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
)

// PlanFields are the members of payloads that a plan names.
type PlanFields struct {
	// Secret members are shown nowhere; Searchable ones are what rows are found by.
	Secret, Searchable secret.Fields
}

// ErrNoPlan means that a plan's stream is empty or holds no plan.
var ErrNoPlan = errors.New("plan not found")

// ReadPlanFields reads the fields of the plan with that hash from its stream. With [ErrNoPlan] it
// returns fields all the same, in which everything is secret: nobody can say what is not.
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
