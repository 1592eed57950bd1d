package plans

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/atonehq/atone/domain"
)

// Reader is what reading a plan needs of a log.
type Reader interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Read reads the plan with the hash, and what is secret in it, from a log.
func Read(ctx context.Context, log Reader, hash string) (*domain.Plan, error) {
	plan, _, err := find(ctx, log, hash)
	if err != nil {
		return nil, err
	}
	plan.Hidden, _, err = domain.ReadSecretsStream(log.ReadStream(ctx, domain.PlanSecretsStream(hash), 0))
	if err != nil {
		return nil, fmt.Errorf("read what is secret in plan %s: %w", hash, err)
	}
	return plan, nil
}

// find reads the first plan of the hash's stream that can be read, and the stream's last revision
// up to there.
func find(ctx context.Context, log Reader, hash string) (*domain.Plan, domain.Expected, error) {
	plan, last, bad, err := domain.ReadPlanStream(log.ReadStream(ctx, domain.PlanStream(hash), 0))
	switch {
	case err != nil:
		return nil, last, fmt.Errorf("read plan %s: %w", hash, err)
	case plan != nil:
		return plan, last, nil
	case bad != nil:
		return nil, last, fmt.Errorf("plan %s %w: %w", hash, domain.ErrUnreadable, bad)
	}
	return nil, last, fmt.Errorf("plan %s %w: was the log's directory restored without it?", hash, ErrMissing)
}

// ErrMissing means that the log does not have the plan.
var ErrMissing = errors.New("is not in the log")
