package question

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/atonehq/atone/projections"
)

// few is up to how many rows are read and sorted rather than found in order. Counting up to it
// takes well under a millisecond.
const few = 4000

// drive answers a query the way that touches the fewest rows. SQLite without statistics takes
// any index that fits; here the rows that each condition lets through are counted, up to few, and
// the narrowest condition drives. Where all are wide, the rows are walked in the asked order.
func (s *Tables) drive(ctx context.Context, with Queryer, t *projections.Table, q projections.Query) ([]projections.Row, error) {
	if keyed(t, q.Where) {
		return s.plain(ctx, with, t, q)
	}
	driver, count, err := s.narrowest(ctx, with, t, q)
	if err != nil {
		return nil, err
	}
	if driver < 0 {
		return s.walk(ctx, with, t, q, -1, false)
	}
	c := q.Where[driver]
	if count < few {
		return s.walk(ctx, with, t, q, driver, true)
	}
	if i := s.divides(t, q); i >= 0 {
		return s.merge(ctx, with, t, q, i)
	}
	if columns := s.together(t, q); len(columns) > 0 {
		driver = slices.IndexFunc(q.Where, func(c projections.Cond) bool { return c.Op == projections.OpEq && c.Column == columns[0] })
		return s.walk(ctx, with, t, q, driver, false)
	}
	switch {
	case !s.ordered(t, c, q.Order):
		return s.walk(ctx, with, t, q, -1, false)
	case c.Op == projections.OpIn && len(c.Values) > 1:
		return s.merge(ctx, with, t, q, driver)
	}
	return s.walk(ctx, with, t, q, driver, false)
}

// merge answers a query for several values of a column as one for each value.
func (s *Tables) merge(ctx context.Context, with Queryer, t *projections.Table, q projections.Query, driver int) ([]projections.Row, error) {
	var all []projections.Row
	for _, one := range apart(q, driver) {
		rows, err := s.drive(ctx, with, t, one)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return inOrder(t, q, all), nil
}

// narrowest returns the indexed condition with the fewest rows, and how many, or -1.
func (s *Tables) narrowest(ctx context.Context, with Queryer, t *projections.Table, q projections.Query) (best, count int, err error) {
	best = -1
	var candidates []int
	for i, c := range q.Where {
		if s.indexed(t, c) {
			candidates = append(candidates, i)
		}
	}
	if len(candidates) == 1 && s.ordered(t, q.Where[candidates[0]], q.Order) && q.Where[candidates[0]].Op != projections.OpIn {
		return candidates[0], few, nil // there is nothing to choose
	}
	words := -1
	for _, i := range candidates {
		if q.Where[i].Op == projections.OpWords && s.ordered(t, q.Where[i], q.Order) {
			// found in the asked order: it is never sorted, so that its number doesn't matter
			words = i
			continue
		}
		n, err := s.count(ctx, with, t, q.Where[i])
		if err != nil {
			return -1, 0, err
		}
		if best < 0 || n < count {
			best, count = i, n
		}
		if n == 0 {
			break
		}
	}
	if words >= 0 && (best < 0 || count >= few) {
		return words, few, nil
	}
	return best, count, nil
}

// indexed reports whether the condition can drive.
func (s *Tables) indexed(t *projections.Table, c projections.Cond) bool {
	switch c.Op {
	case projections.OpWords:
		return c.Value != "" && s.Dialect.Driven()
	case projections.OpExists:
		return true
	case projections.OpEq, projections.OpIn:
		return (c.Value != nil || len(c.Values) > 0) && (t.Key[0] == c.Column || slices.ContainsFunc(t.Indexes, func(ix []string) bool { return ix[0] == c.Column }))
	}
	return false
}

// ordered reports whether the condition's rows are found in the asked order.
func (s *Tables) ordered(t *projections.Table, c projections.Cond, order []string) bool {
	if len(order) == 0 {
		return true
	}
	switch c.Op {
	case projections.OpWords:
		return slices.Equal(order, t.Key)
	case projections.OpExists:
		other := s.View.Table(c.Table)
		return other != nil && begins(other.Key[1:], order) && len(c.Where) == 1 && c.Where[0].Op == projections.OpEq && c.Where[0].Column == other.Key[0]
	}
	return slices.ContainsFunc(t.Indexes, func(ix []string) bool {
		return ix[0] == c.Column && begins(WithKey(ix, t.Key)[1:], order)
	})
}

// keyed reports whether the conditions name one row by its key.
func keyed(t *projections.Table, where []projections.Cond) bool {
	for _, k := range t.Key {
		if !slices.ContainsFunc(where, func(c projections.Cond) bool { return c.Op == projections.OpEq && c.Column == k }) {
			return false
		}
	}
	return true
}

// count returns how many rows the condition alone lets through, at most few.
func (s *Tables) count(ctx context.Context, with Queryer, t *projections.Table, c projections.Cond) (n int, err error) {
	b := builder{Tables: s, table: t}
	b.write("SELECT count(*) FROM (SELECT 1")
	if err := b.from(c, true); err != nil {
		return 0, err
	}
	b.write(fmt.Sprintf(" LIMIT %d) AS n", few))
	return s.number(ctx, with, t, &b)
}

// number asks for one number.
func (s *Tables) number(ctx context.Context, with Queryer, t *projections.Table, b *builder) (n int, err error) {
	rows, err := with.QueryContext(ctx, b.String(), b.args...)
	if err != nil {
		return 0, fmt.Errorf("query %s.%s: %w", s.View.Name, t.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			return 0, err
		}
	}
	return n, rows.Err()
}

// from writes FROM and WHERE so that the condition drives. Alone, the table itself is left out
// where another one can tell.
func (b *builder) from(c projections.Cond, alone bool) error {
	own := Quote(b.Physical(b.table)) + " AS t"
	switch c.Op {
	case projections.OpWords:
		words, err := b.wordsOf(c)
		if err != nil {
			return err
		}
		wanted := make([]Wanted, len(words))
		for i, w := range words {
			wanted[i] = Wanted{Prefix: w, Words: b.vocabulary[w]}
		}
		from, key := b.Dialect.WordsFrom(b.Physical(b.table), wanted, b.plain)
		b.driverKey = key
		if alone {
			b.write(" FROM " + from)
		} else {
			b.write(" FROM " + from + " CROSS JOIN " + own + " ON t." + Quote(b.table.Key[0]) + " = " + key)
		}
		b.write(" WHERE 1=1")
		return nil
	case projections.OpExists:
		other, err := b.Tables.Table(c.Table)
		if err != nil {
			return err
		}
		b.write(" FROM " + Quote(b.Physical(other)) + " AS x")
		if !alone {
			b.write(" CROSS JOIN " + own + " ON 1=1")
			for _, on := range c.On {
				b.write(" AND t." + Quote(on) + " = x." + Quote(on))
			}
		}
		b.write(" WHERE 1=1")
		return b.otherConditions(other, "x", c.Where)
	}
	b.write(" FROM " + own + " WHERE ")
	return b.condition(c)
}

// walk reads the rows through the driving condition; without one, through whatever
// gives the order. Sorted tells to sort rather than to follow the order's own index.
func (s *Tables) walk(ctx context.Context, with Queryer, t *projections.Table, q projections.Query, driver int, sorted bool) ([]projections.Row, error) {
	b := builder{Tables: s, table: t}
	b.write("SELECT " + columns(t))
	rest, prefix := q.Where, "t."
	if driver >= 0 {
		c := q.Where[driver]
		if err := b.from(c, false); err != nil {
			return nil, err
		}
		rest = slices.Delete(slices.Clone(q.Where), driver, driver+1)
		b.passive = func(string) bool { return true }
		switch {
		case sorted:
			prefix = "+t."
		case c.Op == projections.OpWords:
			return s.walkWords(ctx, with, t, q, c, rest)
		case c.Op == projections.OpExists:
			prefix = "x."
		}
		if !sorted && len(q.Order) > 0 { // a bound on the order's first column narrows the walk
			together := s.together(t, q)
			b.passive = func(column string) bool { return column != q.Order[0] && !slices.Contains(together, column) }
		}
	} else {
		b.write(" FROM " + Quote(s.Physical(t)) + " AS t WHERE 1=1")
		if len(q.Order) > 0 {
			b.passive = func(column string) bool { return column != q.Order[0] }
		}
	}
	if err := b.rest(q, rest, prefix); err != nil {
		return nil, err
	}
	return s.fetch(ctx, with, t, &b)
}

// walkWords reads the rows that match words in the order of the key, which is that of the words'
// index.
func (s *Tables) walkWords(ctx context.Context, with Queryer, t *projections.Table, q projections.Query, c projections.Cond, rest []projections.Cond) ([]projections.Row, error) {
	b := builder{Tables: s, table: t, passive: func(string) bool { return true }}
	var err error
	if b.vocabulary, err = s.vocabulary(ctx, with, t, c); err != nil {
		return nil, err
	}
	b.write("SELECT " + columns(t))
	if err := b.from(c, false); err != nil {
		return nil, err
	}
	if err := b.conditions(rest); err != nil {
		return nil, err
	}
	key, direction, op := b.driverKey, "", " > "
	if q.Desc {
		direction, op = " DESC", " < "
	}
	if len(q.After) == 1 {
		arg, err := b.arg(q.After[0])
		if err != nil {
			return nil, err
		}
		b.write(" AND " + key + op + arg)
	}
	if len(q.Order) > 0 {
		b.write(" ORDER BY " + key + direction)
	}
	if q.Limit > 0 {
		b.write(fmt.Sprintf(" LIMIT %d", q.Limit))
	}
	return s.fetch(ctx, with, t, &b)
}
