package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

// Space is the tables of one generation of a view.
type Space struct {
	// DB is for writing; a Space that is only read needs none.
	DB      *sql.DB
	Dialect Dialect
	View    *projections.View
	Number  int
	// Prefix begins the names of the tables.
	Prefix string

	mu         sync.Mutex
	statements map[string]*sql.Stmt
	kept       kept
}

func (s *Space) tables() *question.Tables {
	return &question.Tables{Dialect: s.Dialect, View: s.View, Prefix: s.Prefix}
}

// Create makes the tables and the catalog's entry, in the transaction.
func (s *Space) Create(ctx context.Context, tx *sql.Tx) error {
	for i := range s.View.Tables {
		for _, stmt := range s.ddl(&s.View.Tables[i]) {
			if _, err := tx.ExecContext(ctx, stmt); err != nil {
				return fmt.Errorf("%s: %w", stmt, err)
			}
		}
	}
	q := `INSERT INTO atone_generations (view, generation, version, shape, live, begun, position, events, at) VALUES (` + s.args(1, 5) + `, ` + s.Dialect.Arg(6) + `, 0, 0, 0)`
	_, err := tx.ExecContext(ctx, q, s.View.Name, s.Number, s.View.Version, Shape(s.View), 0, time.Now().UnixNano())
	return err
}

// args returns n placeholders, numbered from the given one.
func (s *Space) args(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.Dialect.Arg(from + i))
	}
	return b.String()
}

func (s *Space) ddl(t *projections.Table) []string {
	name := s.tables().Physical(t)
	integerKey := integerKey(t)
	var cols []string
	for _, c := range t.Columns {
		def := question.Quote(c.Name) + " " + s.Dialect.Type(c.Type)
		if integerKey && c.Name == t.Key[0] {
			def += " PRIMARY KEY"
		}
		cols = append(cols, def)
	}
	if !integerKey {
		cols = append(cols, "PRIMARY KEY ("+question.Quoted(t.Key)+")")
	}
	out := []string{"CREATE TABLE " + question.Quote(name) + " (" + strings.Join(cols, ", ") + ")" + s.Dialect.TableOptions(integerKey)}
	for i, ix := range t.Indexes {
		stmt := fmt.Sprintf("CREATE INDEX %s ON %s (%s)", question.Quote(fmt.Sprintf("%s_%d", name, i+1)), question.Quote(name), question.Quoted(question.WithKey(ix, t.Key)))
		if t.Columns[t.Column(ix[0])].Sparse {
			stmt += " WHERE " + question.Quote(ix[0]) + " IS NOT NULL"
		}
		out = append(out, stmt)
	}
	if t.Listed() {
		out = append(out, s.Dialect.ListTables(question.Quote(question.ListsOf(name)), question.Quote(question.RangesOf(name)))...)
	}
	return out
}

// integerKey reports whether the table's key is one Int column.
func integerKey(t *projections.Table) bool {
	return len(t.Key) == 1 && t.Columns[t.Column(t.Key[0])].Type == projections.Int
}

// Promote marks the generation as live, in the transaction, and removes the catalog's entries of
// all others.
func (s *Space) Promote(ctx context.Context, tx *sql.Tx) error {
	d := s.Dialect
	if _, err := tx.ExecContext(ctx, `DELETE FROM atone_generations WHERE view = `+d.Arg(1)+` AND generation < `+d.Arg(2), s.View.Name, s.Number); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE atone_generations SET live = 1 WHERE view = `+d.Arg(1)+` AND generation = `+d.Arg(2), s.View.Name, s.Number)
	return err
}

// MarkOld marks the generation, if it is live, as not made from this log.
func (s *Space) MarkOld(ctx context.Context, db Execer) error {
	d := s.Dialect
	_, err := db.ExecContext(ctx, `UPDATE atone_generations SET live = `+d.Arg(1)+` WHERE view = `+d.Arg(2)+` AND generation = `+d.Arg(3)+` AND live = `+d.Arg(4),
		liveButOld, s.View.Name, s.Number, live)
	return err
}

// Select answers a query with a database or transaction.
func (s *Space) Select(ctx context.Context, with question.Queryer, q projections.Query) ([]projections.Row, error) {
	return s.tables().Select(ctx, with, q)
}

// Values answers a query for the values of a column.
func (s *Space) Values(ctx context.Context, with question.Queryer, q projections.ValuesQuery) ([]projections.Value, error) {
	return s.tables().Values(ctx, with, q)
}

// Close closes the prepared statements.
func (s *Space) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.statements {
		_ = st.Close() // the table that it was for is gone
	}
	s.statements = nil
}
