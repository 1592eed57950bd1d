package question

import (
	"context"
	"maps"
	"slices"

	"github.com/atonehq/atone/projections"
)

// each writes the row of t that belongs to one of what was written before, and its conditions.
// OFFSET 0 keeps the engine from looking for another order to do it in.
func (b *builder) each(on map[string]string, where []projections.Cond) error {
	b.write(" CROSS JOIN LATERAL (SELECT * FROM " + Quote(b.Physical(b.table)) + " AS t WHERE 1=1")
	for _, o := range slices.Sorted(maps.Keys(on)) {
		b.write(" AND t." + Quote(o) + " = " + on[o])
	}
	if err := b.conditions(where); err != nil {
		return err
	}
	b.write(" OFFSET 0) AS t WHERE 1=1")
	return nil
}

// finish writes bounds, the place to continue, order and limit, and asks. Where the rows need not
// be sorted, the order is that of what drives; on has its columns for those of t.
func (b *builder) finish(ctx context.Context, with Queryer, q projections.Query, on map[string]string, sorted bool) ([]projections.Row, error) {
	columns, err := b.narrow(q, on)
	if err != nil {
		return nil, err
	}
	if sorted {
		for i, o := range q.Order {
			columns[i] = "t." + Quote(o)
		}
		if err := b.behind(q, columns); err != nil {
			return nil, err
		}
	}
	b.ordered(q, columns)
	return b.fetch(ctx, with, b.table, b)
}

// narrow writes what the query's bounds mean for a table that shares columns with t: the engine
// infers that from an equation only, and a page deep inside would be found by going through all
// those before. It returns the columns of the order in that table.
func (b *builder) narrow(q projections.Query, on map[string]string) (order []string, err error) {
	for _, c := range q.Where {
		op, compares := comparisons[c.Op]
		if !compares || on[c.Column] == "" {
			continue
		}
		arg, err := b.arg(c.Value)
		if err != nil {
			return nil, err
		}
		b.write(" AND " + on[c.Column] + op + arg)
	}
	order = make([]string, len(q.Order))
	all := true
	for i, o := range q.Order {
		order[i] = on[o]
		all = all && on[o] != ""
	}
	if all {
		err = b.behind(q, order)
	}
	return order, err
}
