package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

// tx implements [projections.Tx].
type tx struct {
	*Space
	sql   *sql.Tx
	bound map[string]*sql.Stmt // the space's statements, bound to this transaction
	// listings has what is noted of tables with lists.
	listings map[string]*listing
}

// Put implements [projections.Tx].
func (x *tx) Put(ctx context.Context, table string, rows ...projections.Row) error {
	t, err := x.tables().Table(table)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if len(r) != len(t.Columns) {
			return fmt.Errorf("put into %s.%s: a row has %d values, the table %d columns", x.View.Name, table, len(r), len(t.Columns))
		}
	}
	rows = latest(t, rows)
	values := make([][]any, len(rows))
	for i, r := range rows {
		if values[i], err = question.ToSQLs(make([]any, 0, len(r)), r); err != nil {
			return fmt.Errorf("put into %s.%s: %w", x.View.Name, table, err)
		}
	}
	if t.Listed() {
		if err := x.list(ctx, t, values); err != nil {
			return fmt.Errorf("put into %s.%s: list the rows: %w", x.View.Name, table, err)
		}
	}
	most := x.Dialect.Rows()
	args := make([]any, 0, min(most, len(rows))*len(t.Columns))
	size, text := 0, ""
	for n := most; len(values) > 0; {
		for n > len(values) {
			n /= 2
		}
		args = args[:0]
		for _, r := range values[:n] {
			args = append(args, r...)
		}
		if n != size {
			size, text = n, x.upsert(t, n)
		}
		if err := x.exec(ctx, text, args); err != nil {
			return fmt.Errorf("put into %s.%s: %w", x.View.Name, table, err)
		}
		values = values[n:]
	}
	return nil
}

// latest keeps the last of the rows with one key: PostgreSQL changes no row twice in one statement,
// and lists change from what is stored.
func latest(t *projections.Table, rows []projections.Row) []projections.Row {
	if len(rows) < 2 {
		return rows
	}
	last := make(map[string]int, len(rows))
	keys := make([]string, len(rows))
	var b strings.Builder
	for i, r := range rows {
		b.Reset()
		for _, k := range t.Key {
			fmt.Fprintf(&b, "%v\x00", r[t.Column(k)])
		}
		keys[i] = b.String()
		last[keys[i]] = i
	}
	if len(last) == len(rows) {
		return rows
	}
	out := make([]projections.Row, 0, len(last))
	for i, r := range rows {
		if last[keys[i]] == i {
			out = append(out, r)
		}
	}
	return out
}

// upsert returns the statement that puts n rows.
func (x *tx) upsert(t *projections.Table, n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + question.Quote(x.tables().Physical(t)) + " VALUES ")
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + x.args(1+i*len(t.Columns), len(t.Columns)) + ")")
	}
	b.WriteString(" ON CONFLICT (" + question.Quoted(t.Key) + ") DO ")
	set := 0
	for _, c := range t.Columns {
		if c.Fixed || slices.Contains(t.Key, c.Name) {
			continue
		}
		if set == 0 {
			b.WriteString("UPDATE SET ")
		} else {
			b.WriteString(", ")
		}
		set++
		b.WriteString(question.Quote(c.Name) + " = excluded." + question.Quote(c.Name))
	}
	if set == 0 {
		b.WriteString("NOTHING")
	}
	return b.String()
}

// Delete implements [projections.Tx].
func (x *tx) Delete(ctx context.Context, table string, keys ...projections.Row) error {
	t, err := x.tables().Table(table)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("DELETE FROM " + question.Quote(x.tables().Physical(t)) + " WHERE ")
	for i, k := range t.Key {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString(question.Quote(k) + " = " + x.Dialect.Arg(i+1))
	}
	for _, key := range keys {
		if len(key) != len(t.Key) {
			return fmt.Errorf("delete from %s.%s: a key has %d values, not %d", x.View.Name, table, len(key), len(t.Key))
		}
	}
	if t.Listed() {
		numbers := make([]int64, len(keys))
		for i, k := range keys {
			v, err := question.ToSQL(k[0])
			if err != nil {
				return fmt.Errorf("delete from %s.%s: %w", x.View.Name, table, err)
			}
			numbers[i], _ = v.(int64)
		}
		if err := x.unlist(ctx, t, numbers); err != nil {
			return fmt.Errorf("delete from %s.%s: take the rows out of lists: %w", x.View.Name, table, err)
		}
	}
	for _, key := range keys {
		args, err := question.ToSQLs(nil, key)
		if err == nil {
			err = x.exec(ctx, b.String(), args)
		}
		if err != nil {
			return fmt.Errorf("delete from %s.%s: %w", x.View.Name, table, err)
		}
	}
	return nil
}

// DeleteWhere implements [projections.Tx].
func (x *tx) DeleteWhere(ctx context.Context, table string, where ...projections.Cond) error {
	t, err := x.tables().Table(table)
	if err != nil {
		return err
	}
	if t.Listed() {
		rows, err := x.Select(ctx, projections.Query{Table: table, Where: where})
		if err != nil {
			return err
		}
		keys := make([]projections.Row, len(rows))
		for i, r := range rows {
			keys[i] = projections.Row{r[t.Column(t.Key[0])]}
		}
		return x.Delete(ctx, table, keys...)
	}
	conditions, args, err := x.tables().Where(t, where)
	if err != nil {
		return fmt.Errorf("delete from %s.%s: %w", x.View.Name, table, err)
	}
	if err := x.exec(ctx, "DELETE FROM "+question.Quote(x.tables().Physical(t))+" AS t WHERE 1=1"+conditions, args); err != nil {
		return fmt.Errorf("delete from %s.%s: %w", x.View.Name, table, err)
	}
	return nil
}

// Select implements [projections.Tx].
func (x *tx) Select(ctx context.Context, q projections.Query) ([]projections.Row, error) {
	if err := x.writeLists(ctx); err != nil {
		return nil, err
	}
	return x.Space.Select(ctx, x, q)
}
