package question

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/lists"
)

// reader answers a query of a table with lists.
type reader struct {
	*Tables
	with  Queryer
	table *projections.Table
}

// answer answers a query: the conditions give a set of rows, the order walks over them.
func (r *reader) answer(ctx context.Context, q projections.Query) ([]projections.Row, error) {
	column, err := r.orderedBy(q)
	if err != nil {
		return nil, err
	}
	where := slices.DeleteFunc(slices.Clone(q.Where), func(c projections.Cond) bool {
		return c.Op == projections.OpNotNull && c.Column == column // the order says so already
	})
	rows, rest, err := r.found(ctx, where)
	if err != nil {
		return nil, err
	}
	var after *place
	if len(q.After) > 0 {
		last := make([]int64, len(q.After))
		for i, v := range q.After {
			n, err := ToSQL(v)
			if err != nil {
				return nil, err
			}
			last[i], _ = n.(int64)
		}
		after = &place{last[0], last[len(last)-1]}
	}
	left := math.MaxInt
	if q.Limit > 0 {
		left = q.Limit
	}
	var out []projections.Row
	for most := left; len(rows) > 0; most = max(2*most, 256) {
		var places []place
		if column == "" {
			places = firstByKey(rows, q.Desc, after, most)
		} else if places, err = r.first(ctx, column, q.Desc, rows, after, most); err != nil {
			return nil, err
		}
		got, err := r.fetch(ctx, places, rest)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
		if len(places) < most || len(rest) == 0 || len(out) >= left {
			break
		}
		after = &places[len(places)-1]
	}
	return out[:min(len(out), left)], nil
}

// orderedBy returns the column whose numbers give the order, "" for the key.
func (r *reader) orderedBy(q projections.Query) (string, error) {
	key := r.table.Key[0]
	switch {
	case len(q.Order) == 0 || len(q.Order) == 1 && q.Order[0] == key:
		return "", nil
	case len(q.Order) == 2 && q.Order[1] == key && slices.Contains(r.table.Ranges, q.Order[0]):
		return q.Order[0], nil
	}
	return "", fmt.Errorf("rows of %s are sorted by its key or by one of its Ranges and the key, not by %s", r.table.Name, strings.Join(q.Order, ", "))
}

// firstByKey returns the first of the rows behind a place, in the order of their keys.
func firstByKey(rows lists.Rows, desc bool, after *place, most int) (out []place) {
	keys := rows.All()
	if desc {
		keys = rows.Backward()
	}
	for key := range keys {
		if after != nil && (desc && key >= after.key || !desc && key <= after.key) {
			continue
		}
		if out = append(out, place{key, key}); len(out) >= most {
			break
		}
	}
	return out
}

// fetch reads the rows at the places, in this order, for which the conditions hold.
func (r *reader) fetch(ctx context.Context, places []place, where []projections.Cond) ([]projections.Row, error) {
	const atOnce = 1000
	out := make([]projections.Row, 0, len(places))
	key := r.table.Column(r.table.Key[0])
	for part := range slices.Chunk(places, atOnce) {
		keys := make([]int64, len(part))
		for i, p := range part {
			keys[i] = p.key
		}
		b := builder{Tables: r.Tables, table: r.table}
		b.write("SELECT " + columns(r.table) + " FROM " + Quote(r.Physical(r.table)) + " AS t WHERE t." + Quote(r.table.Key[0]))
		b.oneOf(keys)
		if err := b.conditions(where); err != nil {
			return nil, err
		}
		found, err := r.Tables.fetch(ctx, r.with, r.table, &b)
		if err != nil {
			return nil, err
		}
		at := make(map[int64]projections.Row, len(found))
		for _, row := range found {
			at[row.Int(key)] = row
		}
		for _, k := range keys {
			if row := at[k]; row != nil {
				out = append(out, row)
			}
		}
	}
	return out, nil
}
