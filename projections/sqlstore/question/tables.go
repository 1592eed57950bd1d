package question

import (
	"context"
	"database/sql"
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
