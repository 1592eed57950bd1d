package saga

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// storeSecrets sees to it that the log has what a plan's types keep secret beside the plan itself. It only ever adds:
// what some program called secret stays so.
func (c *Coordinator) storeSecrets(ctx context.Context, p *domain.Plan) error {
	if len(p.Hidden) == 0 {
		return nil
	}
	stream := domain.PlanSecretsStream(p.Hash())
	var err error
	for range turnTries {
		known, last, rerr := domain.ReadSecretsStream(c.log.ReadStream(ctx, stream, 0))
		missing := without(p.Hidden, known)
		if rerr != nil || len(missing) == 0 {
			err = rerr
			break
		}
		data, merr := domain.NewPlanSecrets(missing)
		if merr != nil {
			return merr
		}
		e := domain.NewEvent{ID: uuid.NewSHA1(planSpace, append([]byte(stream), data...)), Type: domain.PlanSecrets, Data: data}
		if err = c.persevere(ctx, stream, last, e); !errors.Is(err, domain.ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("store what is secret in %s v%d: %w", p.Saga, p.Version, err)
	}
	return nil
}

// without returns the sorted names that are not among the others, nil for none.
func without(names, others []string) (rest []string) {
	for _, n := range names {
		if !slices.Contains(others, n) {
			rest = append(rest, n)
		}
	}
	slices.Sort(rest)
	return slices.Compact(rest)
}

// hideIn returns what the types keep secret beyond the names that a plan has already.
func hideIn(p *domain.Plan, all ...*typeSecrets) []string {
	var names []string
	for _, t := range all {
		names = append(names, t.names...)
	}
	return without(names, p.Secret)
}

// secretsOf returns what the two types of an action keep secret.
func secretsOf[In, Out any]() *typeSecrets {
	in, out := secretsOfType(reflect.TypeFor[In]()), secretsOfType(reflect.TypeFor[Out]())
	return &typeSecrets{names: without(slices.Concat(in.names, out.names), nil), members: slices.Concat(in.members, out.members), opaque: in.opaque || out.opaque}
}
