package plans

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/payload"
)

// storeSecrets sees to it that the log has what a plan's types keep secret beside the plan itself.
// It only ever adds: what some program called secret stays so.
func (s *Store) storeSecrets(ctx context.Context, p *domain.Plan) error {
	if len(p.Hidden) == 0 {
		return nil
	}
	stream := domain.PlanSecretsStream(p.Hash())
	var err error
	for range tries {
		known, last, rerr := domain.ReadSecretsStream(s.journal.ReadStream(ctx, stream, 0))
		missing := payload.Without(p.Hidden, known)
		if rerr != nil || len(missing) == 0 {
			err = rerr
			break
		}
		data, merr := domain.NewPlanSecrets(missing)
		if merr != nil {
			return merr
		}
		e := domain.NewEvent{ID: uuid.NewSHA1(space, append([]byte(stream), data...)), Type: domain.PlanSecrets, Data: data}
		if err = s.journal.Persevere(ctx, stream, last, e); !errors.Is(err, domain.ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("store what is secret in %s v%d: %w", p.Saga, p.Version, err)
	}
	return nil
}
