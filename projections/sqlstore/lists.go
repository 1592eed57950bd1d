package sqlstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/lists"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

// listing keeps the lists and blocks of one table up to date. Changes are gathered and written
// once, at the end of a transaction. What was written is kept for the next one.
type listing struct {
	table *projections.Table
	// next is above the largest key in the table; 0 until the table was asked.
	next   int64
	sets   map[setAt]*lists.Set
	blocks map[blockAt]*lists.Block

	added, removed map[setAt]*lists.Set
	numbers        map[blockAt]map[int]any // an int64 or nil
}

// The sets and blocks that are kept, 512 bytes and 8 KiB each.
const (
	keptSets   = 16384
	keptBlocks = 256
)

// kept has the listings of a generation's tables between two transactions.
type kept struct {
	at     domain.Position
	tables map[string]*listing
}

// takeKept returns the listings as the transaction that ended at the position left them, or none.
// Only one transaction at a time has them.
func (s *Space) takeKept(at domain.Position) map[string]*listing {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kept
	s.kept = kept{}
	if k.tables == nil || k.at != at {
		return make(map[string]*listing)
	}
	for _, l := range k.tables {
		if len(l.sets) > keptSets {
			clear(l.sets)
		}
		if len(l.blocks) > keptBlocks {
			clear(l.blocks)
		}
	}
	return k.tables
}

func (s *Space) keep(k kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = k
}

func (x *tx) listing(t *projections.Table) *listing {
	l := x.listings[t.Name]
	if l == nil {
		l = &listing{table: t, sets: make(map[setAt]*lists.Set), blocks: make(map[blockAt]*lists.Block),
			added: make(map[setAt]*lists.Set), removed: make(map[setAt]*lists.Set), numbers: make(map[blockAt]map[int]any)}
		x.listings[t.Name] = l
	}
	return l
}

// list notes what changes in lists and blocks with rows that are about to be put. The values are as
// [question.ToSQL] returns them; each key comes once.
func (x *tx) list(ctx context.Context, t *projections.Table, rows [][]any) error {
	l := x.listing(t)
	key := t.Column(t.Key[0])
	if l.next == 0 {
		if err := x.sql.QueryRowContext(ctx, "SELECT coalesce(max("+question.Quote(t.Key[0])+"), -1) + 1 FROM "+question.Quote(x.tables().Physical(t))).Scan(&l.next); err != nil {
			return err
		}
	}
	var known []int64
	next := l.next
	for _, r := range rows {
		n, ok := r[key].(int64)
		if !ok || n < 0 {
			return fmt.Errorf("the key of a table with lists is a number from 0 up, not %v", r[key])
		}
		if n < l.next {
			known = append(known, n)
		}
		next = max(next, n+1)
	}
	l.next = next
	old, err := x.listedBefore(ctx, t, known)
	if err != nil {
		return err
	}
	for _, r := range rows {
		n, _ := r[key].(int64)
		l.change(n, old[n], r)
	}
	return nil
}

// unlist notes that the rows with the keys are about to be deleted.
func (x *tx) unlist(ctx context.Context, t *projections.Table, keys []int64) error {
	old, err := x.rowsBefore(ctx, t, keys, t.Columns)
	for n, r := range old {
		x.listing(t).change(n, r, nil)
	}
	return err
}

// listedBefore returns the rows with the keys as they are stored, or nothing where all columns with
// lists are Fixed.
func (x *tx) listedBefore(ctx context.Context, t *projections.Table, keys []int64) (map[int64][]any, error) {
	var columns []projections.Column
	for _, c := range t.Columns {
		if !c.Fixed && (c.Name == t.Words || slices.Contains(t.Lists, c.Name)) {
			columns = append(columns, c)
		}
	}
	if len(columns) == 0 {
		return nil, nil
	}
	return x.rowsBefore(ctx, t, keys, columns)
}

// rowsBefore reads columns of the rows with the keys; the others are nil.
func (x *tx) rowsBefore(ctx context.Context, t *projections.Table, keys []int64, columns []projections.Column) (map[int64][]any, error) {
	out := make(map[int64][]any, len(keys))
	err := x.tables().ReadByKey(ctx, x, t, keys, columns, func(key int64, values []any) {
		row := make([]any, len(t.Columns))
		for i, c := range columns {
			row[t.Column(c.Name)] = values[i]
		}
		out[key] = row
	})
	return out, err
}

// change notes how a row changes. before is nil for a new row, after for one that is deleted.
func (l *listing) change(n int64, before, after []any) {
	chunk, at := lists.Split(n)
	note := func(in map[setAt]*lists.Set, other map[setAt]*lists.Set, term string) {
		k := setAt{term, chunk}
		s := in[k]
		if s == nil {
			s = new(lists.Set)
			in[k] = s
		}
		s.Add(at)
		if o := other[k]; o != nil {
			o.Remove(at)
		}
	}
	have := make(map[string]bool)
	if before != nil {
		for term := range question.Terms(l.table, before) {
			have[term] = true
		}
	}
	if after != nil {
		for term := range question.Terms(l.table, after) {
			if have[term] {
				delete(have, term)
			} else {
				note(l.added, l.removed, term)
			}
		}
		note(l.added, l.removed, lists.Everything)
	} else {
		note(l.removed, l.added, lists.Everything)
	}
	for term := range have {
		note(l.removed, l.added, term)
	}
	for _, c := range l.table.Ranges {
		k := blockAt{c, n / lists.BlockRows}
		if l.numbers[k] == nil {
			l.numbers[k] = make(map[int]any)
		}
		var v any
		if after != nil {
			v = after[l.table.Column(c)]
		}
		l.numbers[k][int(n%lists.BlockRows)] = v
	}
}
