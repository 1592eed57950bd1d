package saga

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/machine"
)

// loaded is a run folded from the log, with what the next append needs.
type loaded struct {
	state         *machine.State
	hash          domain.ChainHash
	lastID        uuid.UUID
	sinceSnapshot int
}

// fold reads a run from its latest snapshot, if there is one, and its stream.
// What can't be read of it is an [*UnreadableError].
func (c *Coordinator) fold(ctx context.Context, id domain.RunID) (l loaded, err error) {
	defer func() {
		if p := recover(); p != nil { // no event should be able to
			err = unreadable(id, fmt.Errorf("folding it %w", contain.Panic(p)))
		}
	}()
	l, from, err := c.loadSnapshot(ctx, id)
	if err != nil {
		c.logger.Warn("snapshot not used, folding the whole run", "run", id, "error", err)
		l, from = loaded{}, 0
	}
	stream := domain.RunStream(id)
	for r, err := range c.log.ReadStream(ctx, stream, from) {
		if err != nil {
			return l, fmt.Errorf("read %s: %w", stream, err)
		}
		f, err := domain.DecodeFact(&r)
		if err != nil {
			return l, unreadable(id, err)
		}
		if l.state == nil {
			started, ok := f.Event.(*domain.RunStarted)
			if !ok {
				return l, unreadable(id, fmt.Errorf("%s begins with %s: it is no run", stream, r.Type))
			}
			plan, err := c.planOf(ctx, started.Plan)
			if err != nil {
				return l, ofPlan(id, err)
			}
			l.state = machine.New(plan, id)
		}
		if want := uint64(l.state.Revision + 1); r.Revision != want {
			return l, unreadable(id, fmt.Errorf("%s: revision %d follows %d: events are missing", stream, r.Revision, l.state.Revision))
		}
		l.state = machine.Evolve(l.state, f)
		if l.hash, err = domain.ParseChainHash(f.Meta.Hash); err != nil {
			return l, unreadable(id, fmt.Errorf("%s revision %d: %w", stream, r.Revision, err))
		}
		l.lastID = r.ID
		l.sinceSnapshot++
	}
	if l.state == nil {
		return l, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	return l, nil
}

// ofPlan says of a run what is wrong with its plan: one that is not there, or can't be read, makes the run unreadable.
func ofPlan(id domain.RunID, err error) error {
	if errors.Is(err, ErrUnreadable) || errors.Is(err, errNoPlan) {
		return unreadable(id, err)
	}
	return err
}
