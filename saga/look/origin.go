package look

import (
	"context"
	"fmt"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga"
)

// Plans finds plans by their hashes; a [saga.Coordinator] does.
type Plans interface {
	Plan(ctx context.Context, hash string) (*domain.Plan, error)
}

// Origin is what the first event of a run says of it.
type Origin struct {
	Saga, Key string
	// Secrets are the secret fields of the run's plan.
	Secrets secret.Fields
}

// OriginOf reads the first event of a run. Errors: [saga.ErrNotFound], and those of the log.
func OriginOf(ctx context.Context, log saga.StreamReader, plans Plans, id domain.RunID) (Origin, error) {
	for r, err := range log.ReadStream(ctx, domain.RunStream(id), 0) {
		if err != nil {
			return Origin{}, fmt.Errorf("read run %s: %w", id, err)
		}
		f, err := domain.DecodeFact(&r)
		if err != nil {
			return Origin{}, fmt.Errorf("read run %s: %w", id, err)
		}
		started, ok := f.Event.(*domain.RunStarted)
		if !ok {
			return Origin{}, fmt.Errorf("stream %s begins with %s: it is not a run", r.Stream, r.Type)
		}
		plan, err := plans.Plan(ctx, started.Plan)
		if err != nil {
			return Origin{}, err
		}
		return Origin{Saga: started.Saga, Key: started.Key, Secrets: plan.Secrets()}, nil
	}
	return Origin{}, fmt.Errorf("%s: %w", id, saga.ErrNotFound)
}

// IsOfAnApp reports whether an event is a domain event: one that an app or an action emitted, not
// one of atone's own nor of the log's.
func IsOfAnApp(e *domain.Recorded) bool {
	if domain.ReservedType(e.Type) || strings.HasPrefix(e.Stream, "$") {
		return false
	}
	_, ofRun := domain.RunOfStream(e.Stream)
	return ofRun || !domain.ReservedStream(e.Stream)
}
