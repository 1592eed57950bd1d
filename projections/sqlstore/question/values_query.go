package question

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/lists"
)

// mostValues is how many values are returned where the query does not say.
const mostValues = 1000

// Values answers a query for the values of a column.
func (s *Tables) Values(ctx context.Context, with Queryer, q projections.ValuesQuery) ([]projections.Value, error) {
	t, err := s.Table(q.Table)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(t.Lists, q.Column) {
		return nil, fmt.Errorf("table %s keeps no lists of column %q", t.Name, q.Column)
	}
	if q.Limit <= 0 {
		q.Limit = mostValues
	}
	r := reader{Tables: s, with: with, table: t}
	if q.Count {
		return r.counted(ctx, q)
	}
	return r.values(ctx, q)
}

// values goes from value to value, each found by the index of the lists.
func (r *reader) values(ctx context.Context, q projections.ValuesQuery) (out []projections.Value, err error) {
	from, to := lists.Between(q.Column, q.Begins)
	text := "SELECT term FROM " + Quote(ListsOf(r.Physical(r.table))) + " WHERE term >= " + r.Dialect.Arg(1) + " AND term < " + r.Dialect.Arg(2) + " ORDER BY term LIMIT 1"
	for len(out) < q.Limit {
		term, err := r.one(ctx, text, from, to)
		if err != nil || term == "" {
			return out, err
		}
		value := strings.TrimPrefix(term, q.Column+"=")
		from = term + "\x01" // the smallest that can follow: no text has a NUL
		if at := strings.Index(value[len(q.Begins):], q.Until); q.Until != "" && at >= 0 {
			value = value[:len(q.Begins)+at]
			_, from = lists.Between(q.Column, value+q.Until)
		}
		out = append(out, projections.Value{Text: value})
	}
	return out, nil
}

// one returns the only column of the first row; nothing where there is none.
func (r *reader) one(ctx context.Context, text string, args ...any) (value string, err error) {
	rows, err := r.with.QueryContext(ctx, text, args...)
	if err != nil {
		return "", fmt.Errorf("query the lists of %s.%s: %w", r.View.Name, r.table.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if rows.Next() {
		if err := rows.Scan(&value); err != nil {
			return "", err
		}
	}
	return value, rows.Err()
}

// counted counts the rows with each value.
func (r *reader) counted(ctx context.Context, q projections.ValuesQuery) (out []projections.Value, err error) {
	var within lists.Rows
	if len(q.Where) > 0 {
		var rest []projections.Cond
		if within, rest, err = r.found(ctx, slices.Clone(q.Where)); err != nil {
			return nil, err
		}
		if len(rest) > 0 && len(within) > 0 {
			return nil, fmt.Errorf("%s.%s: %w", r.View.Name, r.table.Name, projections.ErrNotCounted)
		}
	}
	chunks := make(map[int64]*lists.Set, len(within))
	for i := range within {
		chunks[within[i].Chunk] = &within[i].Set
	}
	from, to := lists.Between(q.Column, q.Begins)
	rows, err := r.with.QueryContext(ctx, "SELECT term, chunk, bits FROM "+Quote(ListsOf(r.Physical(r.table)))+
		" WHERE term >= "+r.Dialect.Arg(1)+" AND term < "+r.Dialect.Arg(2)+" ORDER BY term", from, to)
	if err != nil {
		return nil, fmt.Errorf("query the lists of %s.%s: %w", r.View.Name, r.table.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var term string
		var chunk int64
		var b sql.RawBytes
		if err := rows.Scan(&term, &chunk, &b); err != nil {
			return nil, err
		}
		value := strings.TrimPrefix(term, q.Column+"=")
		if len(out) == 0 || out[len(out)-1].Text != value {
			if len(out) == q.Limit {
				break
			}
			out = append(out, projections.Value{Text: value})
		}
		var set lists.Set
		if err := set.Unite(b); err != nil {
			return nil, fmt.Errorf("read the lists of %s.%s: %w", r.View.Name, r.table.Name, err)
		}
		if len(q.Where) > 0 {
			set.And(chunks[chunk])
		}
		out[len(out)-1].Rows += set.Len()
	}
	return out, rows.Err()
}
