package question

import (
	"context"
	"fmt"

	"github.com/atonehq/atone/projections"
)

// Select answers a query. It reads with a database or a transaction.
func (s *Tables) Select(ctx context.Context, with Queryer, q projections.Query) ([]projections.Row, error) {
	t, err := s.Table(q.Table)
	if err != nil {
		return nil, err
	}
	for _, o := range q.Order {
		if t.Column(o) < 0 {
			return nil, fmt.Errorf("table %s has no column %q to sort by", t.Name, o)
		}
	}
	if len(q.After) > 0 && len(q.After) != len(q.Order) {
		return nil, fmt.Errorf("query: After has %d values for %d columns of Order", len(q.After), len(q.Order))
	}
	if s.Dialect.Driven() {
		return s.drive(ctx, with, t, q)
	}
	return s.planned(ctx, with, t, q)
}

// Where returns the conditions as SQL on a table that is called t, each after an AND, and their
// arguments.
func (s *Tables) Where(t *projections.Table, conds []projections.Cond) (text string, args []any, err error) {
	b := builder{Tables: s, table: t}
	err = b.conditions(conds)
	return b.String(), b.args, err
}
