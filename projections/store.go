package projections

import (
	"context"
	"errors"
	"time"

	"github.com/atonehq/atone/domain"
)

// Tx is what an [Applier] does with its tables, inside the transaction that also saves the
// position.
type Tx interface {
	// Put inserts the rows, or replaces those with the same keys; of two rows with the same
	// key the later one counts. Besides the columns' own types it accepts int, bool,
	// time.Time (zero for nil) and uuid.UUID (for Bytes).
	Put(ctx context.Context, table string, rows ...Row) error
	// Delete removes the rows with the keys; one that isn't there is passed over.
	Delete(ctx context.Context, table string, keys ...Row) error
	// DeleteWhere removes the rows for which all conditions hold.
	DeleteWhere(ctx context.Context, table string, where ...Cond) error
	// Select reads rows, including those that this transaction put.
	Select(ctx context.Context, q Query) ([]Row, error)
}

// Checkpoint is how far a view has come.
type Checkpoint struct {
	// Position is that of the last event considered; everything up to it is in the rows.
	Position domain.Position
	// Events is the number of events applied.
	Events int64
	// At is when the log accepted the last of them.
	At time.Time
}

// Generation is one set of a view's tables. A rebuild makes a new one beside the one that
// answers queries, which is live.
type Generation struct {
	Number  int
	Version int
	Live    bool
	// Old means that the rows were made from another log than the one that is there, or from events
	// that it has lost. They answer until a rebuild takes their place. See [Store.MarkOld].
	Old bool
	// Begun is when the generation was created.
	Begun time.Time
	Checkpoint
}

// Found is what a query found.
type Found struct {
	Rows []Row
	// As is the state of the view that the rows belong to.
	As Generation
}

// Store keeps views: their rows and their positions. Methods are safe to call concurrently.
type Store interface {
	// Lease waits until the caller is the only one, among the processes that share the store, to
	// project the view. It is for sparing work: Update stays correct without it.
	Lease(ctx context.Context, view string) (Lease, error)
	// Generations lists the generations of the view, oldest first.
	Generations(ctx context.Context, view string) ([]Generation, error)
	// Create makes the tables of a new generation, empty and not live, and returns its number.
	Create(ctx context.Context, v *View) (int, error)
	// Update calls apply and saves the checkpoint, all in one transaction. It fails with
	// [ErrSuperseded] where the generation does not stand at the position of from.
	Update(ctx context.Context, v *View, generation int, from, to Checkpoint, apply func(Tx) error) error
	// Promote makes the generation the live one and drops all older ones. Queries go on:
	// each sees one generation as a whole.
	Promote(ctx context.Context, v *View, generation int) error
	// MarkOld sets Old of the generation, where it is live.
	MarkOld(ctx context.Context, v *View, generation int) error
	// Drop removes a generation that is not live.
	Drop(ctx context.Context, v *View, generation int) error
	// Select reads from the live generation or, where that one's tables have another shape
	// than v says, from the newest that has this shape. It fails with [ErrNoView] where
	// there is none.
	Select(ctx context.Context, v *View, q Query) (Found, error)
}

// Lease is the right to project a view.
type Lease interface {
	// Lost is closed when the right was lost.
	Lost() <-chan struct{}
	// Release gives it back. It is called once.
	Release()
}

// Errors of a [Store], to be tested with errors.Is.
var (
	// ErrSuperseded means that another process moved or dropped the generation.
	ErrSuperseded = errors.New("another process projects this view")
	// ErrNoView means that the view was never projected into this store: start a Runner with it.
	ErrNoView = errors.New("the view is not there yet")
)
