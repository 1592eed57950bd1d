package history

import (
	"context"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/plans"
)

// Facts reads a run's events up to the revision (inclusive), [domain.End] for all, and its plan. A
// run of a saga that sees refuses is not found; sees is asked with an empty name about a run whose
// beginning can't be read. Errors are those of [FoldAt].
func Facts(ctx context.Context, log plans.Reader, planOf PlanOf, id domain.RunID, until uint64, sees func(saga string) bool) ([]domain.Fact, *domain.Plan, error) {
	missing := fmt.Errorf("run %s: %w", id, domain.ErrNotFound)
	var facts []domain.Fact
	var plan *domain.Plan
	for r, err := range log.ReadStream(ctx, domain.RunStream(id), 0) {
		if err != nil {
			return nil, nil, fmt.Errorf("read run %s: %w", id, err)
		}
		if r.Revision > until {
			break
		}
		fact, err := domain.DecodeFact(&r)
		if len(facts) == 0 {
			started, ok := fact.Event.(*domain.RunStarted)
			switch {
			case ok && !sees(started.Saga), !ok && !sees(""):
				return nil, nil, missing
			case !ok && err == nil:
				return nil, nil, notARun(id, &r)
			case ok:
				if plan, err = planOf(ctx, started.Plan); err != nil {
					return nil, nil, ofPlan(id, err)
				}
			}
		}
		if err != nil {
			return nil, nil, Unreadable(id, err)
		}
		facts = append(facts, fact)
	}
	if len(facts) == 0 {
		return nil, nil, missing
	}
	return facts, plan, nil
}
