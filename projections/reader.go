package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// Reader asks views. It is safe for concurrent use.
type Reader struct {
	store  Store
	runner *Runner
}

// NewReader returns a reader of the store, whoever projects into it.
func NewReader(store Store) *Reader { return &Reader{store: store} }

// Reader returns a reader of the runner's store whose waits for a position hurry the runner.
func (r *Runner) Reader() *Reader { return &Reader{store: r.cfg.Store, runner: r} }

// Fresh asks for rows that have caught up with a write. The zero value takes what is there.
type Fresh struct {
	// AtLeast is the position that the rows must have reached, as an append to a run's stream returned it.
	AtLeast domain.Position
	// Wait bounds the wait for it; 2 s when 0. Then the query fails with [ErrBehind].
	Wait time.Duration
}

// Errors of queries, to be tested with errors.Is.
var (
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrBadCursor means that the cursor is of a query with another order.
	ErrBadCursor = errors.New("the cursor does not belong to this query: begin with the first page")
)

// Rows queries a table of any view.
func (r *Reader) Rows(ctx context.Context, v *View, q Query, fresh Fresh) (Found, error) {
	if fresh.AtLeast == 0 {
		return r.store.Select(ctx, v, q)
	}
	wait := fresh.Wait
	if wait == 0 {
		wait = 2 * time.Second
	}
	var k *keeper
	if r.runner != nil {
		k, _ = r.runner.keeper(v.Name) // a view that this process doesn't run is waited for all the same
	}
	for deadline := time.Now().Add(wait); ; {
		if err := atLeast(ctx, r.store, v.Name, fresh.AtLeast, time.Until(deadline), k); err != nil {
			return Found{}, err
		}
		found, err := r.store.Select(ctx, v, q)
		if err != nil || !found.As.Old && found.As.Position >= fresh.AtLeast {
			return found, err
		}
		// The live rows are there but have another shape than the view has now; those being built answer.
		if time.Until(deadline) < poll {
			return Found{}, fmt.Errorf("%s is being rebuilt and stands at position %d, not yet at %d, after %v: %w", v.Name, found.As.Position, fresh.AtLeast, wait, ErrBehind)
		}
		if err := pause(ctx, nil, poll); err != nil {
			return Found{}, err
		}
	}
}
