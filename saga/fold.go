package saga

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
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
func (c *Coordinator) fold(ctx context.Context, id domain.RunID) (loaded, error) {
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
			return l, err
		}
		if l.state == nil {
			started, ok := f.Event.(*domain.RunStarted)
			if !ok {
				return l, fmt.Errorf("%s begins with %s: it is no run", stream, r.Type)
			}
			plan, err := c.planOf(ctx, started.Plan)
			if err != nil {
				return l, err
			}
			l.state = machine.New(plan, id)
		}
		if want := uint64(l.state.Revision + 1); r.Revision != want {
			return l, fmt.Errorf("%s: revision %d follows %d: events are missing", stream, r.Revision, l.state.Revision)
		}
		l.state = machine.Evolve(l.state, f)
		if l.hash, err = domain.ParseChainHash(f.Meta.Hash); err != nil {
			return l, fmt.Errorf("%s revision %d: %w", stream, r.Revision, err)
		}
		l.lastID = r.ID
		l.sinceSnapshot++
	}
	if l.state == nil {
		return l, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	return l, nil
}
