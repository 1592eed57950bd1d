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

// IsOfAnApp reports whether an event is a domain event: one that an app or an action emitted, not
// one of atone's own nor of the log's.
func IsOfAnApp(e *domain.Recorded) bool {
	if domain.ReservedType(e.Type) || strings.HasPrefix(e.Stream, "$") {
		return false
	}
	_, ofRun := domain.RunOfStream(e.Stream)
	return ofRun || !domain.ReservedStream(e.Stream)
}
