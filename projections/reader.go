package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/internal/signal"
)

// Reader queries views. It is safe for concurrent use.
type Reader struct {
	store Store
	await AwaitFunc
}

// AwaitFunc waits for a view's live rows to reach a position, as [Await] does.
type AwaitFunc func(ctx context.Context, view string, position domain.Position, timeout time.Duration) error

// NewReader returns a reader of the store. Any process may project into it.
func NewReader(store Store) *Reader {
	return NewAwaitingReader(store, func(ctx context.Context, view string, position domain.Position, timeout time.Duration) error {
		return Await(ctx, store, view, position, timeout, nil)
	})
}

// NewAwaitingReader returns a reader that waits for positions with the function. A runner in the
// same process needs no polling for that, and hurries.
func NewAwaitingReader(store Store, await AwaitFunc) *Reader {
	return &Reader{store: store, await: await}
}

// Fresh asks for rows that include a write. The zero value accepts any rows.
type Fresh struct {
	// AtLeast is the position that the rows must have reached; use one that an append to a run's
	// stream returned.
	AtLeast domain.Position
	// Wait bounds the wait for it; 2 s when 0. Then the query fails with [ErrBehind].
	Wait time.Duration
}

// Errors of queries, to be tested with errors.Is.
var (
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrBadCursor means that the cursor comes from a query with another order.
	ErrBadCursor = errors.New("the cursor does not belong to this query: begin with the first page")
)

// Rows queries a table of any view. Errors: [ErrNoView], [ErrBehind].
func (r *Reader) Rows(ctx context.Context, v *View, q Query, fresh Fresh) (Found, error) {
	if fresh.AtLeast == 0 {
		return r.store.Select(ctx, v, q)
	}
	wait := fresh.Wait
	if wait == 0 {
		wait = 2 * time.Second
	}
	for deadline := time.Now().Add(wait); ; {
		if err := r.await(ctx, v.Name, fresh.AtLeast, time.Until(deadline)); err != nil {
			return Found{}, err
		}
		found, err := r.store.Select(ctx, v, q)
		if err != nil || !found.As.Old && found.As.Position >= fresh.AtLeast {
			return found, err
		}
		// The live tables have another shape than this version of the view, so the tables being
		// built answer.
		if time.Until(deadline) < poll {
			return Found{}, fmt.Errorf("%s is being rebuilt and is at position %d, not yet at %d, after %v: %w", v.Name, found.As.Position, fresh.AtLeast, wait, ErrBehind)
		}
		if err := signal.Pause(ctx, nil, poll); err != nil {
			return Found{}, err
		}
	}
}
