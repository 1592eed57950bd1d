package question

import (
	"context"
	"fmt"
	"slices"

	"github.com/atonehq/atone/projections"
)

// planned answers a query on an engine that plans by itself. Its planner takes conditions on
// several tables for independent of each other, and a page then for rare where it is not; so what
// the query is driven by is chosen here as for a Driven dialect, and what is joined to that is
// found row by row.
func (s *Tables) planned(ctx context.Context, with Queryer, t *projections.Table, q projections.Query) ([]projections.Row, error) {
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
	words []string         // indexed words that a row must all have
	said  projections.Cond // what the words say, as a condition
	// or the beginning of a word, of which too many are indexed to list them
	prefix string
}

// mostParts bounds the queries that one is taken apart into.
const mostParts = 16

// parts takes a query apart where an index has the rows for each single value in the order asked
// for, but not for several values together.
func (s *Tables) parts(ctx context.Context, with Queryer, t *projections.Table, q projections.Query) ([]part, error) {
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
func (s *Tables) answer(ctx context.Context, with Queryer, t *projections.Table, p part) ([]projections.Row, error) {
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

// through answers a part by one of its conditions; -1 leaves it to the engine, which knows about
// one table what there is to know.
func (s *Tables) through(ctx context.Context, with Queryer, t *projections.Table, p part, driver int, sorted bool) ([]projections.Row, error) {
	b := builder{Tables: s, table: t}
	b.write("SELECT " + columns(t))
	if driver < 0 || p.Where[driver].Op != projections.OpExists {
		b.write(" FROM " + Quote(s.Physical(t)) + " AS t WHERE 1=1")
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
	other, err := s.Table(c.Table)
	if err != nil {
		return nil, err
	}
	b.write(" FROM " + Quote(s.Physical(other)) + " AS d")
	on := make(map[string]string, len(c.On))
	for _, o := range c.On {
		on[o] = "d." + Quote(o)
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
func (s *Tables) single(c projections.Cond) bool {
	other := s.View.Table(c.Table)
	return other != nil && !slices.ContainsFunc(other.Key, func(k string) bool {
		return !slices.Contains(c.On, k) && !slices.ContainsFunc(c.Where, func(c projections.Cond) bool { return c.Op == projections.OpEq && c.Column == k })
	})
}

// joinOther joins the other table once more, on the row d of it.
func (b *builder) joinOther(other *projections.Table, c projections.Cond, alias string, q projections.Query) error {
	b.write(" JOIN " + Quote(b.Physical(other)) + " AS " + alias + " ON 1=1")
	on := make(map[string]string, len(c.On))
	for _, o := range c.On {
		on[o] = alias + "." + Quote(o)
		b.write(" AND " + on[o] + " = d." + Quote(o))
	}
	if err := b.otherConditions(other, alias, c.Where); err != nil {
		return err
	}
	_, err := b.narrow(q, on)
	return err
}
