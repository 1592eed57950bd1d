package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/lists"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

// setAt names a stored set: a chunk of a list. blockAt names a block: a part of a column.
type (
	setAt struct {
		term  string
		chunk int64
	}
	blockAt struct {
		column string
		chunk  int64
	}
)

func (a setAt) compare(b setAt) int {
	return cmp.Or(cmp.Compare(a.term, b.term), cmp.Compare(a.chunk, b.chunk))
}

func (a blockAt) compare(b blockAt) int {
	return cmp.Or(cmp.Compare(a.column, b.column), cmp.Compare(a.chunk, b.chunk))
}

// writeLists writes what was noted.
func (x *tx) writeLists(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(x.listings)) {
		l := x.listings[name]
		if err := x.writeSets(ctx, l); err != nil {
			return fmt.Errorf("write the lists of %s.%s: %w", x.View.Name, name, err)
		}
		if err := x.writeBlocks(ctx, l); err != nil {
			return fmt.Errorf("write the numbers of %s.%s: %w", x.View.Name, name, err)
		}
	}
	return nil
}

func (x *tx) writeSets(ctx context.Context, l *listing) error {
	changed := make(map[setAt]bool, len(l.added)+len(l.removed))
	for k := range l.added {
		changed[k] = true
	}
	for k := range l.removed {
		changed[k] = true
	}
	if len(changed) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(changed), setAt.compare)
	if err := x.loadSets(ctx, l, keys); err != nil {
		return err
	}
	w := setWriter{tx: x, table: l.table}
	for _, k := range keys {
		s := l.sets[k]
		before := *s
		if add := l.added[k]; add != nil {
			for i := range s {
				s[i] |= add[i]
			}
		}
		if remove := l.removed[k]; remove != nil {
			for i := range s {
				s[i] &^= remove[i]
			}
		}
		if *s != before {
			w.add(k, s.Bytes())
		}
	}
	clear(l.added)
	clear(l.removed)
	return w.write(ctx)
}

// loadSets reads the sets that are not in memory.
func (x *tx) loadSets(ctx context.Context, l *listing, keys []setAt) error {
	var terms []string
	var chunks []int64
	for _, k := range keys {
		if l.sets[k] == nil {
			l.sets[k] = new(lists.Set)
			terms, chunks = append(terms, k.term), append(chunks, k.chunk)
		}
	}
	name := question.Quote(question.ListsOf(x.tables().Physical(l.table)))
	read := func(rows *sql.Rows) error {
		var k setAt
		var b sql.RawBytes
		if err := rows.Scan(&k.term, &k.chunk, &b); err != nil {
			return err
		}
		if err := l.sets[k].Unite(b); err != nil {
			return fmt.Errorf("%q, chunk %d: %w", k.term, k.chunk, err)
		}
		return nil
	}
	if !x.Dialect.Local() {
		if len(terms) == 0 {
			return nil
		}
		return x.each(ctx, read, `SELECT term, chunk, bits FROM unnest($1::text[], $2::bigint[]) AS w(term, chunk) JOIN `+name+` USING (term, chunk)`, terms, chunks)
	}
	query := "SELECT term, chunk, bits FROM " + name + " WHERE term = ?1 AND chunk = ?2"
	for i := range terms {
		if err := x.each(ctx, read, query, terms[i], chunks[i]); err != nil {
			return err
		}
	}
	return nil
}

// each asks a query and reads what it answers, row by row.
func (x *tx) each(ctx context.Context, read func(*sql.Rows) error, query string, args ...any) (err error) {
	rows, err := x.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// setWriter gathers sets to be written.
type setWriter struct {
	*tx
	table               *projections.Table
	terms, emptied      []string
	chunks, emptyChunks []int64
	bytes               [][]byte
}

func (w *setWriter) add(k setAt, b []byte) {
	if len(b) == 0 {
		w.emptied, w.emptyChunks = append(w.emptied, k.term), append(w.emptyChunks, k.chunk)
		return
	}
	w.terms, w.chunks, w.bytes = append(w.terms, k.term), append(w.chunks, k.chunk), append(w.bytes, b)
}

func (w *setWriter) write(ctx context.Context) error {
	name := question.Quote(question.ListsOf(w.tables().Physical(w.table)))
	const conflict = ` ON CONFLICT (term, chunk) DO UPDATE SET bits = excluded.bits`
	if !w.Dialect.Local() {
		if len(w.emptied) > 0 {
			if err := w.exec(ctx, `DELETE FROM `+name+` AS l USING unnest($1::text[], $2::bigint[]) AS w(term, chunk) WHERE l.term = w.term AND l.chunk = w.chunk`, []any{w.emptied, w.emptyChunks}); err != nil {
				return err
			}
		}
		if len(w.terms) == 0 {
			return nil
		}
		return w.exec(ctx, `INSERT INTO `+name+` (term, chunk, bits) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])`+conflict, []any{w.terms, w.chunks, w.bytes})
	}
	for i, term := range w.emptied {
		if err := w.exec(ctx, "DELETE FROM "+name+" WHERE term = ?1 AND chunk = ?2", []any{term, w.emptyChunks[i]}); err != nil {
			return err
		}
	}
	insert := "INSERT INTO " + name + " (term, chunk, bits) VALUES (?1, ?2, ?3)" + conflict
	for i, term := range w.terms {
		if err := w.exec(ctx, insert, []any{term, w.chunks[i], w.bytes[i]}); err != nil {
			return err
		}
	}
	return nil
}

func (x *tx) writeBlocks(ctx context.Context, l *listing) error {
	if len(l.numbers) == 0 {
		return nil
	}
	name := question.Quote(question.RangesOf(x.tables().Physical(l.table)))
	arg := x.Dialect.Arg
	load := "SELECT has, numbers FROM " + name + " WHERE col = " + arg(1) + " AND chunk = " + arg(2)
	put := "INSERT INTO " + name + " (col, chunk, lo, hi, has, numbers) VALUES (" + x.args(1, 6) +
		") ON CONFLICT (col, chunk) DO UPDATE SET lo = excluded.lo, hi = excluded.hi, has = excluded.has, numbers = excluded.numbers"
	drop := "DELETE FROM " + name + " WHERE col = " + arg(1) + " AND chunk = " + arg(2)
	for _, k := range slices.SortedFunc(maps.Keys(l.numbers), blockAt.compare) {
		b := l.blocks[k]
		if b == nil {
			b = new(lists.Block)
			err := x.each(ctx, func(rows *sql.Rows) (err error) {
				var has, numbers sql.RawBytes
				if err := rows.Scan(&has, &numbers); err != nil {
					return err
				}
				*b, err = lists.ReadBlock(has, numbers)
				return err
			}, load, k.column, k.chunk)
			if err != nil {
				return err
			}
			l.blocks[k] = b
		}
		changed := false
		for at, v := range l.numbers[k] {
			n, has := v.(int64)
			changed = b.Set(at, n, has) || changed
		}
		if !changed {
			continue
		}
		lo, hi, some := b.Bounds()
		var err error
		if some {
			err = x.exec(ctx, put, []any{k.column, k.chunk, lo, hi, b.Has.Bytes(), b.Bytes()})
		} else {
			err = x.exec(ctx, drop, []any{k.column, k.chunk})
		}
		if err != nil {
			return err
		}
	}
	clear(l.numbers)
	return nil
}
