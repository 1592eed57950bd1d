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
	if !t.Listed() || direct(t, q) {
		return s.plain(ctx, with, t, q)
	}
	r := reader{Tables: s, with: with, table: t}
	return r.answer(ctx, q)
}

// direct reports whether an index of the engine leads straight to the rows of a table with lists.
func direct(t *projections.Table, q projections.Query) bool {
	if len(q.Where) == 0 {
		return len(q.Order) == 0 || q.Order[0] == t.Key[0]
	}
	found := false
	for _, c := range q.Where {
		if i := t.Column(c.Column); c.Op == projections.OpWords || i >= 0 && t.Columns[i].Type == projections.Texts {
			return false
		}
		found = found || c.Op == projections.OpEq && indexed(t, c.Column)
	}
	return found
}

// Where returns the conditions as SQL on a table that is called t, each after an AND, and their
// arguments.
func (s *Tables) Where(t *projections.Table, conds []projections.Cond) (text string, args []any, err error) {
	b := builder{Tables: s, table: t}
	err = b.conditions(conds)
	return b.String(), b.args, err
}
