package look

import (
	"context"
	"iter"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/internal/history"
)

// Plans finds plans by their hashes; a coordinator does.
type Plans interface {
	Plan(ctx context.Context, hash string) (*domain.Plan, error)
}

// StreamReader reads streams of a log.
type StreamReader interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Origin is what the first event of a run says of it.
type Origin struct {
	Saga, Key string
	// Secrets are the secret fields of the run's plan.
	Secrets secret.Fields
}

// OriginOf reads the first event of a run. Errors: [domain.ErrNotFound], [domain.ErrUnreadable],
// and those of the log.
func OriginOf(ctx context.Context, log StreamReader, plans Plans, id domain.RunID) (Origin, error) {
	started, _, err := history.First(ctx, log, id)
	if err != nil {
		return Origin{}, err
	}
	plan, err := plans.Plan(ctx, started.Plan)
	if err != nil {
		return Origin{}, err
	}
	return Origin{Saga: started.Saga, Key: started.Key, Secrets: plan.Secrets()}, nil
}

// Facts reads a run's events up to the revision (inclusive), [domain.End] for all, and its plan. A
// run of a saga that sees refuses is not found; sees is asked with an empty name about a run whose
// beginning can't be read. Errors: [domain.ErrNotFound], [domain.ErrUnreadable], and those of the
// log.
func Facts(ctx context.Context, log StreamReader, plans Plans, id domain.RunID, until uint64, sees func(saga string) bool) ([]domain.Fact, *domain.Plan, error) {
	return history.Facts(ctx, log, plans.Plan, id, until, sees)
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
