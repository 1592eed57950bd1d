package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/atonehq/atone/projections"
)

// Update runs apply and moves the checkpoint in one transaction.
func (s *Space) Update(ctx context.Context, from, to projections.Checkpoint, apply func(projections.Tx) error) error {
	sqltx, err := s.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = sqltx.Rollback() }() // after a commit it does nothing
	// The checkpoint moves first: that locks its row, so that a rival waits here and not after all
	// its work.
	d := s.Dialect
	moved, err := sqltx.ExecContext(ctx, `UPDATE atone_generations SET position = `+d.Arg(1)+`, events = `+d.Arg(2)+`, at = `+d.Arg(3)+
		` WHERE view = `+d.Arg(4)+` AND generation = `+d.Arg(5)+` AND position = `+d.Arg(6),
		int64(to.Position), to.Events, nanos(to.At), s.View.Name, s.Number, int64(from.Position))
	if err != nil {
		return err
	}
	if n, err := moved.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("generation %d of %s is not at position %d: %w", s.Number, s.View.Name, from.Position, projections.ErrSuperseded), err)
	}
	x := &tx{Space: s, sql: sqltx, listings: s.takeKept(from.Position)}
	if err := apply(x); err != nil {
		return err
	}
	if err := x.writeLists(ctx); err != nil {
		return err
	}
	if err := sqltx.Commit(); err != nil {
		return err
	}
	s.keep(kept{at: to.Position, tables: x.listings})
	return nil
}
