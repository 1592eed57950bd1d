package saga

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/evaluate"
	"github.com/atonehq/atone/saga/internal/history"
	"github.com/atonehq/atone/saga/internal/plans"
	"github.com/atonehq/atone/saga/look"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/outlook"
)

// StreamReader is what reading a run's history needs of a log.
type StreamReader interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Latest, as a revision of [FoldAt], means the last event of the run.
const Latest = history.Latest

// FoldAt folds a run from its stream up to the revision (inclusive), or to its end with [Latest].
// It needs no coordinator: it works offline on any log. The caller owns the state. Errors:
// [ErrNotFound] where the run, or that revision of it, does not exist, and [*UnreadableError].
func FoldAt(ctx context.Context, log StreamReader, id domain.RunID, revision int64) (*machine.State, error) {
	planOf := func(ctx context.Context, hash string) (*domain.Plan, error) { return plans.Read(ctx, log, hash) }
	return history.FoldAt(ctx, log, planOf, id, revision)
}

// ReadPlan reads the plan with the hash, and what is secret in it, from a log.
func ReadPlan(ctx context.Context, log StreamReader, hash string) (*domain.Plan, error) {
	return plans.Read(ctx, log, hash)
}

// PlanDefined and SagaRegistered are the wire names of the events in plan and saga streams.
const PlanDefined, SagaRegistered = plans.Defined, plans.Registered

// FoldAt is [FoldAt] on the coordinator's log; with [Latest] it reads only from the last snapshot
// on.
func (c *Coordinator) FoldAt(ctx context.Context, id domain.RunID, revision int64) (*machine.State, error) {
	return c.runs.At(ctx, id, revision)
}

// StateAt returns the run's state as it was after the event with the revision: time travel.
// [Latest] is the state now. Errors are those of [FoldAt].
func (c *Coordinator) StateAt(ctx context.Context, id domain.RunID, revision int64) (explain.Run, error) {
	s, err := c.runs.At(ctx, id, revision)
	if err != nil {
		return explain.Run{}, err
	}
	return explain.Describe(s), nil
}

// Look looks at the run as it is now: its state, what it waits for, and what a cancel would do, all
// of one revision and without its secrets. Errors are those of [FoldAt].
func (c *Coordinator) Look(ctx context.Context, id domain.RunID) (*look.Look, error) {
	s, err := c.runs.At(ctx, id, Latest)
	if err != nil {
		return nil, err
	}
	return look.At(s, c), nil
}

// Why says what the run waits for, down to the child run that it waits for in the end; of one that
// can't be read it says just that. Errors: [ErrNotFound].
func (c *Coordinator) Why(ctx context.Context, id domain.RunID) (explain.Reason, error) {
	l, err := c.Look(ctx, id)
	if errors.Is(err, ErrUnreadable) {
		state, _ := c.StateOf(id)
		return look.Unreadable(id, cmp.Or(state, domain.RunRunning), err), nil
	}
	if err != nil {
		return explain.Reason{}, err
	}
	return l.Why(ctx, c.clock.Now()), nil
}

// StateOf returns the state of an unfinished run that this coordinator has taken up, unread.
func (c *Coordinator) StateOf(id domain.RunID) (domain.RunState, bool) { return c.wakeups.StateOf(id) }

// PreviewCancel tells, step by step, what cancelling the run would do now. It does nothing. Errors:
// [ErrNotFound].
func (c *Coordinator) PreviewCancel(ctx context.Context, id domain.RunID) (explain.Preview, error) {
	l, err := c.Look(ctx, id)
	if err != nil {
		return explain.Preview{}, err
	}
	return l.Undo(c.clock.Now()), nil
}

// CodeOf implements [look.Around].
func (c *Coordinator) CodeOf(s *machine.State) outlook.Code {
	return evaluate.Recorded{Def: c.registry.ForPlan(s.Plan), Registry: c.registry, Hands: c.idleHands()}
}

// Now returns the time by the coordinator's clock.
func (c *Coordinator) Now() time.Time { return c.clock.Now() }

// Describe returns the run's state as of now. Errors: [ErrNotFound].
func (c *Coordinator) Describe(ctx context.Context, id domain.RunID) (explain.Run, error) {
	v := new(explain.Run)
	if err := c.engine.Look(ctx, id, func(s *machine.State) { *v = explain.Describe(s) }); err != nil {
		return explain.Run{}, err // if ctx has ended, v may still be written: don't read it
	}
	return *v, nil
}
