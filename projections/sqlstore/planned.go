package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/atonehq/atone/projections"
)

// planned answers a query on an engine that plans by itself. Its planner takes conditions on several tables for independent of each other, and a
// page then for rare where it is not; so what the query is driven by is chosen here as for a Driven dialect, and
// what is joined to that is found row by row.
func (s *Space) planned(ctx context.Context, with Queryer, t *projections.Table, q projections.Query) ([]projections.Row, error) {
	if keyed(t, q.Where) {
		return s.plain(ctx, with, t, q)
	}
	parts, err := s.parts(ctx, with, t, q)
	if err != nil {
		return nil, err
	}
	var all []projections.Row
	for _, p := range parts {
		rows, err := s.answer(ctx, with, t, p)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	if len(parts) == 1 {
		return all, nil
	}
	return inOrder(t, q, all), nil
}

// part is a query, or one of several that together answer it.
type part struct {
	projections.Query
	words  []string         // indexed words that a row must all have
	said   projections.Cond // what the words say, as a condition
	prefix string           // or the beginning of a word, of which too many are indexed to list them
}

// mostParts bounds the queries that one is taken apart into.
const mostParts = 16

// parts takes a query apart where an index has the rows for each single value in the order asked for, but not for several
// values together.
func (s *Space) parts(ctx context.Context, with Queryer, t *projections.Table, q projections.Query) ([]part, error) {
	parts := []part{{Query: q}}
	for i, c := range q.Where {
		if c.Op == projections.OpIn && len(c.Values) > 1 && len(c.Values)*len(parts) <= mostParts && s.ordered(t, c, q.Order) {
			var apartFrom []part
			for _, p := range parts {
				for _, one := range apart(p.Query, i) {
					apartFrom = append(apartFrom, part{Query: one})
				}
			}
			parts = apartFrom
		}
	}
	i := slices.IndexFunc(q.Where, func(c projections.Cond) bool { return c.Op == projections.OpWords && c.Value != "" })
	if i < 0 {
		return parts, nil
	}
	return s.wordParts(ctx, with, t, parts, i)
}

// answer chooses what drives a part, and asks it.
func (s *Space) answer(ctx context.Context, with Queryer, t *projections.Table, p part) ([]projections.Row, error) {
	driver, count, err := s.narrowest(ctx, with, t, p.Query)
	if err != nil {
		return nil, err
	}
	if driver >= 0 && count < few {
		return s.through(ctx, with, t, p.withWords(), driver, true)
	}
	if len(p.words) > 0 {
		inOrder := slices.Equal(p.Order, t.Key)
		if !inOrder {
			if count, err = s.countWords(ctx, with, t, p.words); err != nil {
				return nil, err
			}
		}
		if inOrder || count < few {
			return s.throughWords(ctx, with, t, p, !inOrder)
		}
		p = p.withWords()
	}
	if driver >= 0 && !s.ordered(t, p.Where[driver], p.Order) {
		driver = -1
	}
	return s.through(ctx, with, t, p, driver, false)
}

// through answers a part by one of its conditions; -1 leaves it to the engine, which knows about one table what there is to know.
func (s *Space) through(ctx context.Context, with Queryer, t *projections.Table, p part, driver int, sorted bool) ([]projections.Row, error) {
	b := builder{Space: s, table: t}
	b.write("SELECT " + columns(t))
	if driver < 0 || p.Where[driver].Op != projections.OpExists {
		b.write(" FROM " + quote(s.physical(t)) + " AS t WHERE 1=1")
		if p.prefix != "" {
			if err := b.among(ctx, with, p.prefix); err != nil {
				return nil, err
			}
		}
		if err := b.rest(p.Query, p.Where, "t."); err != nil {
			return nil, err
		}
		return s.fetch(ctx, with, t, &b)
	}
	c := p.Where[driver]
	other, err := s.table(c.Table)
	if err != nil {
		return nil, err
	}
	b.write(" FROM " + quote(s.physical(other)) + " AS d")
	on := make(map[string]string, len(c.On))
	for _, o := range c.On {
		on[o] = "d." + quote(o)
	}
	// Where several conditions are on the other table the engine begins with the narrowest of them.
	var rest, more []projections.Cond
	for i, w := range p.Where {
		if w.Op == projections.OpExists && w.Table == c.Table && slices.Equal(w.On, c.On) && s.single(w) && i != driver {
			more = append(more, w)
		} else if i != driver {
			rest = append(rest, w)
		}
	}
	for i, w := range more {
		if err := b.joinOther(other, w, fmt.Sprintf("d%d", i), p.Query); err != nil {
			return nil, err
		}
	}
	if err := b.each(on, rest); err != nil {
		return nil, err
	}
	if err := b.otherConditions(other, "d", c.Where); err != nil {
		return nil, err
	}
	return b.finish(ctx, with, p.Query, on, sorted)
}

// single reports whether at most one row of the other table agrees with one of this.
func (s *Space) single(c projections.Cond) bool {
	other := s.View.Table(c.Table)
	return other != nil && !slices.ContainsFunc(other.Key, func(k string) bool {
		return !slices.Contains(c.On, k) && !slices.ContainsFunc(c.Where, func(c projections.Cond) bool { return c.Op == projections.OpEq && c.Column == k })
	})
}

// joinOther joins the other table once more, on the row d of it.
func (b *builder) joinOther(other *projections.Table, c projections.Cond, alias string, q projections.Query) error {
	b.write(" JOIN " + quote(b.physical(other)) + " AS " + alias + " ON 1=1")
	on := make(map[string]string, len(c.On))
	for _, o := range c.On {
		on[o] = alias + "." + quote(o)
		b.write(" AND " + on[o] + " = d." + quote(o))
	}
	if err := b.otherConditions(other, alias, c.Where); err != nil {
		return err
	}
	_, err := b.narrow(q, on)
	return err
}

// each writes the row of t that belongs to one of what was written before, and its conditions. OFFSET 0 keeps the engine from looking for
// another order to do it in.
func (b *builder) each(on map[string]string, where []projections.Cond) error {
	b.write(" CROSS JOIN LATERAL (SELECT * FROM " + quote(b.physical(b.table)) + " AS t WHERE 1=1")
	for _, o := range slices.Sorted(maps.Keys(on)) {
		b.write(" AND t." + quote(o) + " = " + on[o])
	}
	if err := b.conditions(where); err != nil {
		return err
	}
	b.write(" OFFSET 0) AS t WHERE 1=1")
	return nil
}

// finish writes bounds, the place to continue, order and limit, and asks. Where the rows need not be sorted, the order is that of
// what drives; on has its columns for those of t.
func (b *builder) finish(ctx context.Context, with Queryer, q projections.Query, on map[string]string, sorted bool) ([]projections.Row, error) {
	columns, err := b.narrow(q, on)
	if err != nil {
		return nil, err
	}
	if sorted {
		for i, o := range q.Order {
			columns[i] = "t." + quote(o)
		}
		if err := b.behind(q, columns); err != nil {
			return nil, err
		}
	}
	b.ordered(q, columns)
	return b.fetch(ctx, with, b.table, b)
}

// narrow writes what the query's bounds mean for a table that shares columns with t: the engine infers that from an
// equation only, and a page deep inside would be found by going through all those before. It returns the columns of the
// order in that table.
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
