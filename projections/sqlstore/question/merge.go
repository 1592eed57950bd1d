package question

import (
	"slices"

	"github.com/atonehq/atone/projections"
)

// together returns the columns of which the query says what they equal and that an index begins
// with, two or more, where it has the rows in the asked order from there.
func (s *Tables) together(t *projections.Table, q projections.Query) []string {
	for _, ix := range t.Indexes {
		n := 0
		for n < len(ix) && slices.ContainsFunc(q.Where, func(c projections.Cond) bool { return c.Op == projections.OpEq && c.Column == ix[n] }) {
			n++
		}
		if n > 1 && begins(WithKey(ix, t.Key)[n:], q.Order) {
			return ix[:n]
		}
	}
	return nil
}

// divides returns the condition to take the query apart by, so that together finds an index for
// each part, or -1.
func (s *Tables) divides(t *projections.Table, q projections.Query) int {
	if len(s.together(t, q)) > 0 {
		return -1
	}
	return slices.IndexFunc(q.Where, func(c projections.Cond) bool {
		if c.Op != projections.OpIn || len(c.Values) < 2 {
			return false
		}
		one := q
		one.Where = append(slices.Clone(q.Where), projections.Eq(c.Column, c.Values[0]))
		return len(s.together(t, one)) > 0
	})
}

// apart returns the query for each single value of a condition that allows several.
func apart(q projections.Query, cond int) []projections.Query {
	c := q.Where[cond]
	var out []projections.Query
	for i, v := range c.Values {
		if slices.ContainsFunc(c.Values[:i], func(w any) bool { return compare(w, v) == 0 }) {
			continue
		}
		one := q
		one.Where = slices.Clone(q.Where)
		one.Where[cond] = projections.Eq(c.Column, v)
		out = append(out, one)
	}
	return out
}

// inOrder sorts the rows that parts of a query found, each row once, and cuts them to the query's
// limit.
func inOrder(t *projections.Table, q projections.Query, rows []projections.Row) []projections.Row {
	by := func(columns []string) func(a, b projections.Row) int {
		return func(a, b projections.Row) int {
			for _, c := range columns {
				i := t.Column(c)
				if d := compare(a[i], b[i]); d != 0 {
					return d
				}
			}
			return 0
		}
	}
	key := by(WithKey(q.Order, t.Key))
	slices.SortFunc(rows, func(a, b projections.Row) int {
		if q.Desc {
			return key(b, a)
		}
		return key(a, b)
	})
	rows = slices.CompactFunc(rows, func(a, b projections.Row) bool { return key(a, b) == 0 })
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
	}
	return rows
}

// begins reports whether the names begin with the prefix.
func begins(names, prefix []string) bool {
	return len(prefix) <= len(names) && slices.Equal(names[:len(prefix)], prefix)
}
