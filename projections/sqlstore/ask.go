package sqlstore

import (
	"context"
	"database/sql"

	"github.com/atonehq/atone/projections"
)

// Ask calls read with the generation of a view that answers queries, in a transaction that sees one
// snapshot, and returns that generation. Each store has its own: engines differ in how a query
// finds its generation while another process swaps them.
type Ask func(ctx context.Context, v *projections.View, read func(*Space, *sql.Tx) error) (projections.Generation, error)

// Select answers [projections.Store.Select] for a store.
func Select(ctx context.Context, v *projections.View, q projections.Query, ask Ask) (found projections.Found, err error) {
	found.As, err = ask(ctx, v, func(space *Space, tx *sql.Tx) (err error) {
		found.Rows, err = space.Select(ctx, tx, q)
		return err
	})
	return found, err
}

// Values answers [projections.Store.Values] for a store.
func Values(ctx context.Context, v *projections.View, q projections.ValuesQuery, ask Ask) (values []projections.Value, err error) {
	_, err = ask(ctx, v, func(space *Space, tx *sql.Tx) (err error) {
		values, err = space.Values(ctx, tx, q)
		return err
	})
	return values, err
}
