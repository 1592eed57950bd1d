package question

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/lists"
)

// found returns the rows for which the conditions hold, as far as lists, blocks and indexes can
// tell: all rows where they can tell of none. rest are the conditions of which they can't tell; the
// caller checks them on the rows. It sorts where.
func (r *reader) found(ctx context.Context, where []projections.Cond) (rows lists.Rows, rest []projections.Cond, err error) {
	// what is read as a whole comes first; of blocks only those are read that are still of interest
	order := func(c projections.Cond) int {
		switch {
		case c.Op == projections.OpEq && indexed(r.table, c.Column):
			return 0
		case c.Op == projections.OpNull || c.Op == projections.OpAny || slices.Contains(r.table.Ranges, c.Column):
			return 2
		}
		return 1
	}
	slices.SortStableFunc(where, func(a, b projections.Cond) int { return order(a) - order(b) })
	all := true
	for _, c := range where {
		if all && order(c) == 2 {
			if rows, err = r.list(ctx, lists.Everything); err != nil {
				return nil, nil, err
			}
			all = false
		}
		these, told, err := r.hold(ctx, c, rows)
		switch {
		case err != nil:
			return nil, nil, err
		case !told:
			rest = append(rest, c)
			continue
		case all:
			rows, all = these, false
		default:
			rows = rows.And(these)
		}
		if len(rows) == 0 {
			return nil, rest, nil
		}
	}
	if all {
		rows, err = r.list(ctx, lists.Everything)
	}
	return rows, rest, err
}

// hold returns the rows for which one condition holds. Those of a range, and those without a value,
// need only be right within the given rows.
func (r *reader) hold(ctx context.Context, c projections.Cond, within lists.Rows) (rows lists.Rows, told bool, err error) {
	if c.Op == projections.OpWords {
		rows, err = r.words(ctx, c, within)
		return rows, true, err
	}
	if c.Op == projections.OpAny {
		return r.alternatives(ctx, c, within)
	}
	i := r.table.Column(c.Column)
	if i < 0 {
		return nil, false, fmt.Errorf("table %s has no column %q", r.table.Name, c.Column)
	}
	value, err := ToSQL(c.Value)
	if err != nil {
		return nil, false, err
	}
	if slices.Contains(r.table.Lists, c.Column) {
		switch c.Op {
		case projections.OpEq:
			if value == nil {
				return nil, true, nil
			}
			rows, err = r.list(ctx, lists.Term(c.Column, value))
			return rows, true, err
		case projections.OpWithin:
			rows, err = r.termsWithin(ctx, c)
			return rows, true, err
		case projections.OpIn, projections.OpHas:
			rows, err = r.anyOf(ctx, c)
			return rows, true, err
		case projections.OpNotNull, projections.OpNull:
			rows, err = r.beginning(ctx, c.Column, "")
			if c.Op == projections.OpNull && err == nil {
				rows = within.Without(rows)
			}
			return rows, true, err
		}
	}
	if slices.Contains(r.table.Ranges, c.Column) {
		n, _ := value.(int64)
		lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
		switch c.Op {
		case projections.OpEq:
			lo, hi = n, n
		case projections.OpGe:
			lo = n
		case projections.OpLe:
			hi = n
		case projections.OpGt:
			if lo = n + 1; n == math.MaxInt64 {
				return nil, true, nil
			}
		case projections.OpLt:
			if hi = n - 1; n == math.MinInt64 {
				return nil, true, nil
			}
		case projections.OpNull, projections.OpNotNull:
			rows, err = r.between(ctx, c.Column, lo, hi, within)
			if c.Op == projections.OpNull && err == nil {
				rows = within.Without(rows)
			}
			return rows, true, err
		default:
			return nil, false, nil
		}
		if value == nil {
			return nil, true, nil
		}
		rows, err = r.between(ctx, c.Column, lo, hi, within)
		return rows, true, err
	}
	if (c.Op == projections.OpEq || c.Op == projections.OpWithin) && indexed(r.table, c.Column) {
		return r.byIndex(ctx, c)
	}
	return nil, false, nil
}

// alternatives returns the rows for which one of a condition's conditions holds. told is false if
// one of them can't be told.
func (r *reader) alternatives(ctx context.Context, c projections.Cond, within lists.Rows) (rows lists.Rows, told bool, err error) {
	for _, one := range c.Any {
		these, told, err := r.hold(ctx, one, within)
		if !told || err != nil {
			return nil, false, err
		}
		rows = rows.Or(these)
	}
	return rows, true, nil
}

// list reads one list.
func (r *reader) list(ctx context.Context, term string) (lists.Rows, error) {
	return r.union(ctx, "term = "+r.Dialect.Arg(1), term)
}

// beginning reads the lists of a column's values that begin with the prefix.
func (r *reader) beginning(ctx context.Context, column, prefix string) (lists.Rows, error) {
	from, to := lists.Between(column, prefix)
	return r.union(ctx, "term >= "+r.Dialect.Arg(1)+" AND term < "+r.Dialect.Arg(2), from, to)
}

// termsWithin reads the lists of a column's values within the bounds of a condition.
func (r *reader) termsWithin(ctx context.Context, c projections.Cond) (lists.Rows, error) {
	from, err := ToSQL(c.Value)
	if err != nil {
		return nil, err
	}
	to, err := ToSQL(c.Values[0])
	if err != nil {
		return nil, err
	}
	return r.union(ctx, "term >= "+r.Dialect.Arg(1)+" AND term < "+r.Dialect.Arg(2), lists.Term(c.Column, from), lists.Term(c.Column, to))
}

// anyOf reads the lists of a condition's values.
func (r *reader) anyOf(ctx context.Context, c projections.Cond) (lists.Rows, error) {
	var args []any
	var places []string
	for _, v := range c.Values {
		value, err := ToSQL(v)
		if err != nil {
			return nil, err
		}
		if value != nil {
			args = append(args, lists.Term(c.Column, value))
			places = append(places, r.Dialect.Arg(len(args)))
		}
	}
	if len(args) == 0 {
		return nil, nil
	}
	return r.union(ctx, "term IN ("+strings.Join(places, ", ")+")", args...)
}

// words returns the rows that have, for each word of the condition, one that begins with it.
func (r *reader) words(ctx context.Context, c projections.Cond, rows lists.Rows) (lists.Rows, error) {
	if r.table.Words == "" {
		return nil, fmt.Errorf("table %s has no words to search", r.table.Name)
	}
	text, _ := c.Value.(string)
	words := strings.Fields(text)
	if len(words) == 0 {
		return r.list(ctx, lists.Everything)
	}
	for i, w := range words {
		these, err := r.beginning(ctx, r.table.Words, w)
		if err != nil {
			return nil, err
		}
		if rows == nil && i == 0 {
			rows = these
		} else {
			rows = rows.And(these)
		}
		if len(rows) == 0 {
			return nil, nil
		}
	}
	return rows, nil
}

// union reads the lists for which the condition holds, as one.
func (r *reader) union(ctx context.Context, where string, args ...any) (out lists.Rows, err error) {
	rows, err := r.with.QueryContext(ctx, "SELECT chunk, bits FROM "+Quote(ListsOf(r.Physical(r.table)))+" WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("query the lists of %s.%s: %w", r.View.Name, r.table.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	at := make(map[int64]int)
	for rows.Next() {
		var chunk int64
		var b sql.RawBytes
		if err := rows.Scan(&chunk, &b); err != nil {
			return nil, err
		}
		i, seen := at[chunk]
		if !seen {
			i = len(out)
			at[chunk] = i
			out = append(out, lists.Part{Chunk: chunk})
		}
		if err := out[i].Unite(b); err != nil {
			return nil, fmt.Errorf("read the lists of %s.%s: %w", r.View.Name, r.table.Name, err)
		}
	}
	slices.SortFunc(out, func(a, b lists.Part) int { return cmp.Compare(a.Chunk, b.Chunk) })
	return out, rows.Err()
}

// mostByIndex is how many rows of an index are read. Where there are more, the condition is checked
// row by row, in the order that is asked for: many rows hold it, so a page is soon full.
const mostByIndex = 20_000

// byIndex returns the rows that the database's own index has for the condition. told is false where
// these are too many.
func (r *reader) byIndex(ctx context.Context, c projections.Cond) (found lists.Rows, told bool, err error) {
	b := builder{Tables: r.Tables, table: r.table}
	b.write("SELECT " + Quote(r.table.Key[0]) + " FROM " + Quote(r.Physical(r.table)) + " AS t WHERE ")
	if err := b.condition(c); err != nil {
		return nil, false, err
	}
	if c.Op != projections.OpEq {
		b.write(fmt.Sprintf(" LIMIT %d", mostByIndex+1))
	}
	rows, err := r.with.QueryContext(ctx, b.String(), b.args...)
	if err != nil {
		return nil, false, fmt.Errorf("query %s.%s: %w", r.View.Name, r.table.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var keys []int64
	for rows.Next() {
		var key int64
		if err := rows.Scan(&key); err != nil {
			return nil, false, err
		}
		keys = append(keys, key)
	}
	if c.Op != projections.OpEq && len(keys) > mostByIndex {
		return nil, false, rows.Err()
	}
	return lists.Of(keys...), true, rows.Err()
}
