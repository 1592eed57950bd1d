package saga

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/machine"
)

// StreamReader is what reading a run's history needs of a log.
type StreamReader interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Latest, as a revision of [FoldAt], means the last event of the run.
const Latest = int64(-1)

// FoldAt folds a run from its stream up to the revision (inclusive), or to its end with [Latest]. It
// needs no coordinator: it works offline on any log. The caller owns the state. Errors:
// [ErrNotFound] where the run, or that revision of it, does not exist, and [*UnreadableError].
func FoldAt(ctx context.Context, log StreamReader, id domain.RunID, revision int64) (*machine.State, error) {
	planOf := func(hash string) (*domain.Plan, error) { return readPlan(ctx, log, hash) }
	return foldAt(ctx, log, planOf, id, revision)
}

func foldAt(ctx context.Context, log StreamReader, planOf func(string) (*domain.Plan, error), id domain.RunID, revision int64) (s *machine.State, err error) {
	defer func() {
		if p := recover(); p != nil { // no event should be able to
			s, err = nil, unreadable(id, fmt.Errorf("folding it %w", contain.Panic(p)))
		}
	}()
	stream := domain.RunStream(id)
	for r, err := range log.ReadStream(ctx, stream, 0) {
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", stream, err)
		}
		f, err := domain.DecodeFact(&r)
		if err != nil {
			return nil, unreadable(id, err)
		}
		if s == nil {
			started, ok := f.Event.(*domain.RunStarted)
			if !ok {
				return nil, unreadable(id, fmt.Errorf("%s begins with %s: it is no run", stream, r.Type))
			}
			plan, err := planOf(started.Plan)
			if err != nil {
				return nil, ofPlan(id, err)
			}
			s = machine.New(plan, id)
		}
		s = machine.Evolve(s, f)
		if revision >= 0 && s.Revision >= revision {
			break
		}
	}
	switch {
	case s == nil:
		return nil, fmt.Errorf("%s: %w", id, ErrNotFound)
	case revision >= 0 && s.Revision < revision:
		return nil, fmt.Errorf("revision %d of run %s: it ends at revision %d: %w", revision, id, s.Revision, ErrNotFound)
	}
	return s, nil
}

// readPlan is [ReadPlan] over the smaller port.
func readPlan(ctx context.Context, log StreamReader, hash string) (*domain.Plan, error) {
	plan, _, err := findPlan(ctx, log, hash)
	if err != nil {
		return nil, err
	}
	plan.Hidden, _, err = domain.ReadSecretsStream(log.ReadStream(ctx, domain.PlanSecretsStream(hash), 0))
	if err != nil {
		return nil, fmt.Errorf("read what is secret in plan %s: %w", hash, err)
	}
	return plan, nil
}

func (c *Coordinator) foldAt(ctx context.Context, id domain.RunID, revision int64) (*machine.State, error) {
	if revision < 0 { // a snapshot saves reading the whole of a long run
		l, err := c.fold(ctx, id)
		return l.state, err
	}
	return foldAt(ctx, c.log, func(hash string) (*domain.Plan, error) { return c.planOf(ctx, hash) }, id, revision)
}

// FoldAt is [FoldAt] on the coordinator's log. Of the run as it is now it reads only what came after the
// last snapshot.
func (c *Coordinator) FoldAt(ctx context.Context, id domain.RunID, revision int64) (*machine.State, error) {
	return c.foldAt(ctx, id, revision)
}

// StateAt returns the run's state as it was after the event with the revision: time travel. [Latest]
// is the state now. Errors are those of [FoldAt].
func (c *Coordinator) StateAt(ctx context.Context, id domain.RunID, revision int64) (RunView, error) {
	s, err := c.foldAt(ctx, id, revision)
	if err != nil {
		return RunView{}, err
	}
	return ViewOf(s), nil
}

// Why says in a sentence what the run waits for, see [machine.Why]; of one that can't be read it says just that.
// Errors: [ErrNotFound].
func (c *Coordinator) Why(ctx context.Context, id domain.RunID) (machine.Reason, error) {
	s, err := c.foldAt(ctx, id, Latest)
	if errors.Is(err, ErrUnreadable) {
		state, _ := c.wakeups.StateOf(id)
		return machine.Reason{State: cmp.Or(state, domain.RunRunning), Text: err.Error()}, nil
	}
	if err != nil {
		return machine.Reason{}, err
	}
	return machine.WhyWith(s, c.clock.Now(), c), nil
}

// PreviewCancel tells, step by step, what cancelling the run would do now. It does nothing. Errors:
// [ErrNotFound].
func (c *Coordinator) PreviewCancel(ctx context.Context, id domain.RunID) (machine.Preview, error) {
	s, err := c.foldAt(ctx, id, Latest)
	if err != nil {
		return machine.Preview{}, err
	}
	return machine.PreviewCancel(s, c.clock.Now()), nil
}

// Now returns the time by the coordinator's clock.
func (c *Coordinator) Now() time.Time { return c.clock.Now() }
