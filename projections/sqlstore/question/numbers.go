package question

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/atonehq/atone/projections/sqlstore/lists"
)

// zone is what is known of a block of a column before its numbers are read.
type zone struct {
	chunk  int64
	lo, hi int64
	has    lists.Has // those of its rows that are asked for and have a number
}

// zones returns the blocks of a column that have a number from lo to hi in one of the rows.
func (r *reader) zones(ctx context.Context, column string, lo, hi int64, within lists.Rows) (out []zone, err error) {
	if len(within) == 0 {
		return nil, nil
	}
	arg := r.Dialect.Arg
	rows, err := r.with.QueryContext(ctx, "SELECT chunk, lo, hi, has FROM "+Quote(RangesOf(r.Physical(r.table)))+
		" WHERE col = "+arg(1)+" AND chunk >= "+arg(2)+" AND chunk < "+arg(3)+" AND hi >= "+arg(4)+" AND lo <= "+arg(5)+" ORDER BY chunk",
		column, within[0].Chunk*lists.BlocksInSet, (within[len(within)-1].Chunk+1)*lists.BlocksInSet, lo, hi)
	if err != nil {
		return nil, fmt.Errorf("query the numbers of %s.%s: %w", r.View.Name, r.table.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var z zone
		var b sql.RawBytes
		if err := rows.Scan(&z.chunk, &z.lo, &z.hi, &b); err != nil {
			return nil, err
		}
		for len(within) > 0 && within[0].Chunk < z.chunk/lists.BlocksInSet {
			within = within[1:]
		}
		if len(within) == 0 || within[0].Chunk != z.chunk/lists.BlocksInSet {
			continue
		}
		if z.has, err = lists.ReadHas(b); err != nil {
			return nil, fmt.Errorf("read the numbers of %s.%s: %w", r.View.Name, r.table.Name, err)
		}
		if z.has.Within(&within[0].Set, int(z.chunk%lists.BlocksInSet)) {
			out = append(out, z)
		}
	}
	return out, rows.Err()
}

// numbers reads the numbers of the zones.
func (r *reader) numbers(ctx context.Context, column string, zones []zone, each func(*zone, lists.Numbers)) (err error) {
	if len(zones) == 0 {
		return nil
	}
	at := make(map[int64]*zone, len(zones))
	chunks := make([]int64, len(zones))
	for i := range zones {
		chunks[i] = zones[i].chunk
		at[chunks[i]] = &zones[i]
	}
	b := builder{Tables: r.Tables, table: r.table}
	b.write("SELECT chunk, numbers FROM " + Quote(RangesOf(r.Physical(r.table))) + " WHERE col = " + b.plain(column) + " AND chunk")
	b.oneOf(chunks)
	rows, err := r.with.QueryContext(ctx, b.String(), b.args...)
	if err != nil {
		return fmt.Errorf("query the numbers of %s.%s: %w", r.View.Name, r.table.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var chunk int64
		var raw sql.RawBytes
		if err := rows.Scan(&chunk, &raw); err != nil {
			return err
		}
		z := at[chunk]
		n, err := lists.ReadNumbers(&z.has, raw)
		if err != nil {
			return fmt.Errorf("read the numbers of %s.%s: %w", r.View.Name, r.table.Name, err)
		}
		each(z, n)
	}
	return rows.Err()
}

// between returns those of the rows whose number is from lo to hi.
func (r *reader) between(ctx context.Context, column string, lo, hi int64, within lists.Rows) (lists.Rows, error) {
	zones, err := r.zones(ctx, column, lo, hi, within)
	if err != nil {
		return nil, err
	}
	var out lists.Rows
	var partly []zone
	for _, z := range zones {
		if z.lo >= lo && z.hi <= hi {
			out = out.With(z.chunk, &z.has)
		} else {
			partly = append(partly, z)
		}
	}
	err = r.numbers(ctx, column, partly, func(z *zone, n lists.Numbers) {
		for row := range z.has.All() {
			if v := n.At(row); v < lo || v > hi {
				z.has.Remove(row)
			}
		}
	})
	for i := range partly {
		out = out.With(partly[i].chunk, &partly[i].has)
	}
	slices.SortFunc(out, func(a, b lists.Part) int { return cmp.Compare(a.Chunk, b.Chunk) })
	return out.Merged(), err
}

// place is a row's place in an order.
type place struct{ number, key int64 }

func (a place) compare(b place) int {
	return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.key, b.key))
}

// first returns the first of the rows behind a place, in the order of a column's numbers and then
// of keys. It leaves out rows without a number.
func (r *reader) first(ctx context.Context, column string, desc bool, rows lists.Rows, after *place, most int) ([]place, error) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if after != nil && desc {
		hi = after.number
	} else if after != nil {
		lo = after.number
	}
	zones, err := r.zones(ctx, column, lo, hi, rows)
	if err != nil {
		return nil, err
	}
	sign := 1
	if desc {
		sign = -1
	}
	slices.SortFunc(zones, func(a, b zone) int {
		if desc {
			return cmp.Compare(b.hi, a.hi)
		}
		return cmp.Compare(a.lo, b.lo)
	})
	var out []place
	for wanted := most; len(zones) > 0; wanted *= 2 {
		now, some := 0, 0
		for ; now < len(zones) && (now == 0 || some < wanted); now++ {
			some += zones[now].has.Len()
		}
		group := zones[:now]
		zones = zones[now:]
		full := len(out) >= most
		var last place
		if full { // the zones beyond the last place have nothing to add
			last = out[most-1]
			for i := range group {
				if desc && group[i].hi < last.number || !desc && group[i].lo > last.number {
					group, zones = group[:i], nil
					break
				}
			}
		}
		err := r.numbers(ctx, column, group, func(z *zone, n lists.Numbers) {
			for row := range z.has.All() {
				p := place{n.At(row), z.chunk*lists.BlockRows + int64(row)}
				if after != nil && sign*p.compare(*after) <= 0 || full && sign*p.compare(last) > 0 {
					continue
				}
				out = append(out, p)
			}
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(out, func(a, b place) int { return sign * a.compare(b) })
		out = out[:min(len(out), most)]
	}
	return out, nil
}
