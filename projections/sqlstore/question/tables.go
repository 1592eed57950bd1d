package question

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/atonehq/atone/projections"
)

// Tables are those of one generation of a view.
type Tables struct {
	Dialect Dialect
	View    *projections.View
	// Prefix begins the names of the tables.
	Prefix string
}

// Queryer is a database, connection or transaction to read with.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Physical returns the name that the table has in the database.
func (s *Tables) Physical(t *projections.Table) string { return s.Prefix + t.Name }

// Table returns the view's table of that name.
func (s *Tables) Table(name string) (*projections.Table, error) {
	t := s.View.Table(name)
	if t == nil {
		return nil, fmt.Errorf("view %s has no table %q", s.View.Name, name)
	}
	return t, nil
}

// ListsOf returns the name of the table that has the lists of a table's rows.
func ListsOf(physical string) string { return physical + "$lists" }

// RangesOf returns the name of the table that has blocks of the rows' numbers.
func RangesOf(physical string) string { return physical + "$ranges" }

// ReadByKey reads columns of the rows with the keys.
func (s *Tables) ReadByKey(ctx context.Context, with Queryer, t *projections.Table, keys []int64, of []projections.Column, each func(key int64, values []any)) error {
	names := Quote(t.Key[0])
	for _, c := range of {
		names += ", " + Quote(c.Name)
	}
	text := "SELECT " + names + " FROM " + Quote(s.Physical(t)) + " WHERE " + Quote(t.Key[0])
	read := func(args ...any) (err error) {
		rows, err := with.QueryContext(ctx, text+map[bool]string{true: " = ?1", false: " = ANY ($1)"}[s.Dialect.Local()], args...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var key int64
			values := make([]any, len(of))
			into := []any{&key}
			for i := range values {
				into = append(into, &values[i])
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			for i, v := range values {
				if b, ok := v.([]byte); ok && of[i].Type != projections.Bytes {
					values[i] = string(b)
				}
			}
			each(key, values)
		}
		return rows.Err()
	}
	if len(keys) == 0 {
		return nil
	}
	if !s.Dialect.Local() {
		return read(keys)
	}
	for _, k := range keys {
		if err := read(k); err != nil {
			return err
		}
	}
	return nil
}

// indexed reports whether the engine has an index that begins with the column.
func indexed(t *projections.Table, column string) bool {
	if t.Key[0] == column {
		return true
	}
	for _, ix := range t.Indexes {
		if ix[0] == column {
			return true
		}
	}
	return false
}
