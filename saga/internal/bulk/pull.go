package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/history"
	"github.com/atonehq/atone/saga/machine"
)

// manyKey marks the context of an act on one of many runs.
type manyKey struct{}

// Repeats reports whether the error says only that an act on one run changes nothing, since what it
// asks for is so already, and tells whoever wants to know. To the one who asks, that is done: a
// request may come twice. An act on many runs reports what it did itself.
func Repeats(ctx context.Context, err error) bool {
	var already domain.AlreadyError
	if !errors.As(err, &already) || ctx.Value(manyKey{}) != nil {
		return false
	}
	domain.TellAlready(ctx, already.Error())
	return true
}

// Folds folds runs from the log.
type Folds interface {
	At(ctx context.Context, run domain.RunID, revision int64) (*machine.State, error)
}

// Submit has a person's intent decided: by submit, which does it, or in a dry run on the run's
// state as the log has it, which changes nothing.
func Submit(ctx context.Context, runs Folds, run domain.RunID, in machine.Intent, now time.Time, submit func() error) error {
	if !Dry(ctx) {
		return submit()
	}
	s, err := runs.At(ctx, run, history.Latest)
	if err == nil {
		_, err = machine.Decide(s, in, now)
	}
	return err
}

// Levers are what a person can do to one run, or to one step of it; a coordinator has them.
type Levers interface {
	Cancel(ctx context.Context, run domain.RunID, reason string) error
	Pause(ctx context.Context, run domain.RunID, reason string) error
	Resume(ctx context.Context, run domain.RunID, reason string) error
	Abandon(ctx context.Context, run domain.RunID, reason string) error
	Retry(ctx context.Context, run domain.RunID, step, reason string) error
	Skip(ctx context.Context, run domain.RunID, step, reason string) error
	Substitute(ctx context.Context, run domain.RunID, step string, output json.RawMessage, reason string) error
}

// Pull is [Runs.Act] with the levers.
func Pull(l Levers) func(ctx context.Context, run domain.RunID, step string, req *domain.BulkRequest) error {
	return func(ctx context.Context, run domain.RunID, step string, req *domain.BulkRequest) error {
		switch req.Act {
		case domain.BulkCancel:
			return l.Cancel(ctx, run, req.Reason)
		case domain.BulkPause:
			return l.Pause(ctx, run, req.Reason)
		case domain.BulkResume:
			return l.Resume(ctx, run, req.Reason)
		case domain.BulkAbandon:
			return l.Abandon(ctx, run, req.Reason)
		case domain.BulkRetry:
			return l.Retry(ctx, run, step, req.Reason)
		case domain.BulkSkip:
			return l.Skip(ctx, run, step, req.Reason)
		case domain.BulkSubstitute:
			return l.Substitute(ctx, run, step, req.Output, req.Reason)
		}
		return fmt.Errorf("%w: %q is not an act", domain.ErrBadInput, req.Act)
	}
}
