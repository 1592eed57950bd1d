package projections

import (
	"context"
	"errors"
	"time"

	"github.com/atonehq/atone/domain"
)

// Tx gives an [Applier] access to its tables, inside the transaction that also saves the position.
type Tx interface {
	// Put inserts the rows, or replaces those with the same keys; of two rows with the same
	// key the later one counts. Besides the columns' own types it accepts int, bool,
	// time.Time (zero for nil) and uuid.UUID (for Bytes).
	Put(ctx context.Context, table string, rows ...Row) error
	// Delete removes the rows with the keys and ignores keys without a row.
	Delete(ctx context.Context, table string, keys ...Row) error
	// DeleteWhere removes the rows for which all conditions hold.
	DeleteWhere(ctx context.Context, table string, where ...Cond) error
	// Select reads rows, including those that this transaction put.
	Select(ctx context.Context, q Query) ([]Row, error)
}

// Checkpoint is how far a view has come.
type Checkpoint struct {
	// Position is the position of the last event considered; everything up to it is in the rows.
	Position domain.Position
	// Events is the number of events applied.
	Events int64
	// At is when the log accepted the last of them.
	At time.Time
}

// Generation is one set of a view's tables. The live generation answers queries; a rebuild makes a
// new one beside it.
type Generation struct {
	Number  int
	Version int
	Live    bool
	// Old means that the rows were made from another log, or from events that this log has lost.
	// Queries get them until a rebuild has replaced them. See [Store.MarkOld].
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
	// Lease waits until no other process that shares the store projects the view. It only saves
	// work: Update is correct without it.
	Lease(ctx context.Context, view string) (Lease, error)
	// Generations lists the generations of the view, oldest first.
	Generations(ctx context.Context, view string) ([]Generation, error)
	// Create makes the tables of a new generation, empty and not live, and returns its number.
	Create(ctx context.Context, v *View) (int, error)
	// Update calls apply and saves the checkpoint, all in one transaction. It fails with
	// [ErrSuperseded] if the generation is not at from's position.
	Update(ctx context.Context, v *View, generation int, from, to Checkpoint, apply func(Tx) error) error
	// Promote makes the generation the live one and drops all older ones. Queries continue: each
	// sees exactly one generation.
	Promote(ctx context.Context, v *View, generation int) error
	// MarkOld sets Old on the generation, if it is live.
	MarkOld(ctx context.Context, v *View, generation int) error
	// Drop removes a generation that is not live.
	Drop(ctx context.Context, v *View, generation int) error
	// Select reads from the live generation or, if its tables do not have v's shape, from the
	// newest generation that has. It fails with [ErrNoView] if there is none.
	Select(ctx context.Context, v *View, q Query) (Found, error)
	// Values reads the values of a column, from the same generation as Select. See [Reader.Values].
	Values(ctx context.Context, v *View, q ValuesQuery) ([]Value, error)
}

// Lease is the right to project a view.
type Lease interface {
	// Lost is closed when the right was lost.
	Lost() <-chan struct{}
	// Release gives the lease back. Call it once.
	Release()
}

// Errors of a [Store], to be tested with errors.Is.
var (
	// ErrSuperseded means that another process moved or dropped the generation.
	ErrSuperseded = errors.New("another process projects this view")
	// ErrNotCounted means that rows would have to be read one by one to be counted.
	ErrNotCounted = errors.New("too many rows to count")
	// ErrNoView means that the view was never projected into this store: run a runner with it.
	ErrNoView = errors.New("the view is not there yet")
)

// NextNumber returns the number of the next row of a table whose key, one Int column, numbers its
// rows from zero up.
func NextNumber(ctx context.Context, tx Tx, table, key string) (int64, error) {
	rows, err := tx.Select(ctx, Query{Table: table, Order: []string{key}, Desc: true, Limit: 1})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	n, _ := rows[0][0].(int64)
	return n + 1, nil
}
