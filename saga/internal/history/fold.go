package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/plans"
	"github.com/atonehq/atone/saga/machine"
)

// PlanOf returns the plan with the hash.
type PlanOf func(ctx context.Context, hash string) (*domain.Plan, error)

// Latest, as a revision, means the last event of the run.
const Latest = int64(-1)

// Folded is a run folded from the log, with what the next append needs.
type Folded struct {
	State *machine.State
	// Hash and LastID are those of the last event.
	Hash   domain.ChainHash
	LastID uuid.UUID
	// Since counts the events after the snapshot from which the fold began, or all.
	Since int
}

// FoldAt folds a run from its stream up to the revision (inclusive), or to its end with [Latest].
// Errors: [domain.ErrNotFound] where the run, or that revision of it, does not exist, and
// [*domain.UnreadableError].
func FoldAt(ctx context.Context, log plans.Reader, planOf PlanOf, id domain.RunID, revision int64) (*machine.State, error) {
	f, err := Folded{}.goOn(ctx, log, planOf, id, revision)
	if err != nil {
		return nil, err
	}
	if revision >= 0 && f.State.Revision < revision {
		return nil, fmt.Errorf("revision %d of run %s: it ends at revision %d: %w", revision, id, f.State.Revision, domain.ErrNotFound)
	}
	return f.State, nil
}

// goOn folds the events that follow, up to the revision (inclusive), or to the end with [Latest].
func (f Folded) goOn(ctx context.Context, log plans.Reader, planOf PlanOf, id domain.RunID, revision int64) (_ Folded, err error) {
	defer func() {
		if p := recover(); p != nil { // no event should be able to
			err = Unreadable(id, fmt.Errorf("folding it %w", contain.Panic(p)))
		}
	}()
	var from uint64
	if f.State != nil {
		from = uint64(f.State.Revision + 1)
	}
	stream := domain.RunStream(id)
	for r, err := range log.ReadStream(ctx, stream, from) {
		if err != nil {
			return f, fmt.Errorf("read %s: %w", stream, err)
		}
		fact, err := domain.DecodeFact(&r)
		if err != nil {
			return f, Unreadable(id, err)
		}
		if f.State == nil {
			started, ok := fact.Event.(*domain.RunStarted)
			if !ok {
				return f, notARun(id, &r)
			}
			plan, err := planOf(ctx, started.Plan)
			if err != nil {
				return f, ofPlan(id, err)
			}
			f.State = machine.New(plan, id)
		}
		if want := uint64(f.State.Revision + 1); r.Revision != want {
			return f, Unreadable(id, fmt.Errorf("%s: revision %d follows %d: events are missing", stream, r.Revision, f.State.Revision))
		}
		f.State = machine.Evolve(f.State, fact)
		if f.Hash, err = domain.ParseChainHash(fact.Meta.Hash); err != nil {
			return f, Unreadable(id, fmt.Errorf("%s revision %d: %w", stream, r.Revision, err))
		}
		f.LastID = r.ID
		f.Since++
		if revision >= 0 && f.State.Revision >= revision {
			return f, nil
		}
	}
	if f.State == nil {
		return f, fmt.Errorf("%s: %w", id, domain.ErrNotFound)
	}
	return f, nil
}

// First reads the first event of a run: how, and when, the run was started. Errors are those of
// [FoldAt].
func First(ctx context.Context, log plans.Reader, id domain.RunID) (*domain.RunStarted, time.Time, error) {
	for r, err := range log.ReadStream(ctx, domain.RunStream(id), 0) {
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read run %s: %w", id, err)
		}
		fact, err := domain.DecodeFact(&r)
		if err != nil {
			return nil, time.Time{}, Unreadable(id, err)
		}
		started, ok := fact.Event.(*domain.RunStarted)
		if !ok {
			return nil, time.Time{}, notARun(id, &r)
		}
		return started, fact.Meta.At, nil
	}
	return nil, time.Time{}, fmt.Errorf("%s: %w", id, domain.ErrNotFound)
}

// Unreadable wraps the reason why a run can't be read.
func Unreadable(id domain.RunID, err error) error { return &domain.UnreadableError{Run: id, Err: err} }

func notARun(id domain.RunID, r *domain.Recorded) error {
	return Unreadable(id, fmt.Errorf("%s begins with %s: it is not a run", r.Stream, r.Type))
}

// ofPlan says of a run what is wrong with its plan: a plan that is missing, or can't be read, makes
// the run unreadable.
func ofPlan(id domain.RunID, err error) error {
	if errors.Is(err, domain.ErrUnreadable) || errors.Is(err, plans.ErrMissing) {
		return Unreadable(id, err)
	}
	return err
}
