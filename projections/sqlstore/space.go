package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Catalog creates the table that lists generations. It is the same in every engine.
const Catalog = `CREATE TABLE IF NOT EXISTS atone_generations (
	view TEXT NOT NULL, generation BIGINT NOT NULL, version BIGINT NOT NULL, shape TEXT NOT NULL,
	live BIGINT NOT NULL, begun BIGINT NOT NULL,
	position BIGINT NOT NULL, events BIGINT NOT NULL, at BIGINT NOT NULL,
	PRIMARY KEY (view, generation))`

// What the catalog's column live holds. A version that does not know liveButOld takes it for live.
const (
	building   = 0
	live       = 1
	liveButOld = 2
)

// Shape returns a digest of the view's tables: two views of one shape can ask each other's rows.
func Shape(v *projections.View) string {
	b, err := json.Marshal(v.Tables)
	if err != nil {
		panic(fmt.Sprintf("tables are plain data and always marshal: %v", err))
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Queryer is a database, connection or transaction to read with.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Execer is a database, connection or transaction to write with.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Listed is a generation with the shape of its tables.
type Listed struct {
	projections.Generation
	Shape string
}

// Generations reads the catalog's entries for a view, oldest first.
func Generations(ctx context.Context, db Queryer, d Dialect, view string) (list []Listed, err error) {
	rows, err := db.QueryContext(ctx, `SELECT generation, version, shape, live, begun, position, events, at FROM atone_generations WHERE view = `+d.Arg(1)+` ORDER BY generation`, view)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var g Listed
		var state, begun, position, at int64
		if err := rows.Scan(&g.Number, &g.Version, &g.Shape, &state, &begun, &position, &g.Events, &at); err != nil {
			return nil, err
		}
		g.Live, g.Old, g.Begun, g.Position = state != building, state == liveButOld, fromNanos(begun), domain.Position(position)
		g.At = fromNanos(at)
		list = append(list, g)
	}
	return list, rows.Err()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return unixNano(t)
}

// Space is the tables of one generation of a view.
type Space struct {
	// DB is for writing; a Space that is only asked needs none.
	DB      *sql.DB
	Dialect Dialect
	View    *projections.View
	Number  int
	// Prefix begins the names of the tables.
	Prefix string

	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

func (s *Space) physical(t *projections.Table) string { return s.Prefix + t.Name }

// table returns the view's table of that name.
func (s *Space) table(name string) (*projections.Table, error) {
	t := s.View.Table(name)
	if t == nil {
		return nil, fmt.Errorf("view %s has no table %q", s.View.Name, name)
	}
	return t, nil
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

// args returns n placeholders from the given one on.
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
	name := s.physical(t)
	integerKey := integerKey(t)
	var cols []string
	for _, c := range t.Columns {
		def := quote(c.Name) + " " + s.Dialect.Type(c.Type)
		if integerKey && c.Name == t.Key[0] {
			def += " PRIMARY KEY"
		}
		cols = append(cols, def)
	}
	if !integerKey {
		cols = append(cols, "PRIMARY KEY ("+quoted(t.Key)+")")
	}
	out := []string{"CREATE TABLE " + quote(name) + " (" + strings.Join(cols, ", ") + ")" + s.Dialect.TableOptions(integerKey)}
	for i, ix := range t.Indexes {
		stmt := fmt.Sprintf("CREATE INDEX %s ON %s (%s)", quote(fmt.Sprintf("%s_%d", name, i+1)), quote(name), quoted(withKey(ix, t.Key)))
		if t.Columns[t.Column(ix[0])].Sparse {
			stmt += " WHERE " + quote(ix[0]) + " IS NOT NULL"
		}
		out = append(out, stmt)
	}
	if t.Words != "" {
		out = append(out, s.Dialect.WordsIndex(name, t.Key[0], t.Words)...)
	}
	return out
}

// integerKey reports whether the table's key is one Int column.
func integerKey(t *projections.Table) bool {
	return len(t.Key) == 1 && t.Columns[t.Column(t.Key[0])].Type == projections.Int
}

func quoted(names []string) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(n))
	}
	return b.String()
}

// withKey appends the key's columns that are not among the names.
func withKey(names, key []string) []string {
	out := append([]string(nil), names...)
	for _, k := range key {
		if !contains(names, k) {
			out = append(out, k)
		}
	}
	return out
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// Update runs apply and moves the checkpoint in one transaction.
func (s *Space) Update(ctx context.Context, from, to projections.Checkpoint, apply func(projections.Tx) error) error {
	sqltx, err := s.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = sqltx.Rollback() }() // after a commit it does nothing
	// The checkpoint moves first: that locks its row, so that a rival waits here and not after all its work.
	d := s.Dialect
	moved, err := sqltx.ExecContext(ctx, `UPDATE atone_generations SET position = `+d.Arg(1)+`, events = `+d.Arg(2)+`, at = `+d.Arg(3)+
		` WHERE view = `+d.Arg(4)+` AND generation = `+d.Arg(5)+` AND position = `+d.Arg(6),
		int64(to.Position), to.Events, nanos(to.At), s.View.Name, s.Number, int64(from.Position))
	if err != nil {
		return err
	}
	if n, err := moved.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("generation %d of %s is not at position %d: %w", s.Number, s.View.Name, from.Position, projections.ErrSuperseded), err)
	}
	if err := apply(&tx{Space: s, sql: sqltx}); err != nil {
		return err
	}
	return sqltx.Commit()
}

// Promote marks the generation as live, in the transaction, and removes the catalog's entries of all others.
func (s *Space) Promote(ctx context.Context, tx *sql.Tx) error {
	d := s.Dialect
	if _, err := tx.ExecContext(ctx, `DELETE FROM atone_generations WHERE view = `+d.Arg(1)+` AND generation < `+d.Arg(2), s.View.Name, s.Number); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE atone_generations SET live = 1 WHERE view = `+d.Arg(1)+` AND generation = `+d.Arg(2), s.View.Name, s.Number)
	return err
}

// MarkOld notes that the generation, where it is live, is not this log's.
func (s *Space) MarkOld(ctx context.Context, db Execer) error {
	d := s.Dialect
	_, err := db.ExecContext(ctx, `UPDATE atone_generations SET live = `+d.Arg(1)+` WHERE view = `+d.Arg(2)+` AND generation = `+d.Arg(3)+` AND live = `+d.Arg(4),
		liveButOld, s.View.Name, s.Number, live)
	return err
}

// Select answers a query with a database or transaction.
func (s *Space) Select(ctx context.Context, with Queryer, q projections.Query) ([]projections.Row, error) {
	return s.run(ctx, with, q)
}

// statement returns the prepared statement for a query, on the writing database.
func (s *Space) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.statements[query]; st != nil {
		return st, nil
	}
	st, err := s.DB.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	if s.statements == nil {
		s.statements = make(map[string]*sql.Stmt)
	}
	s.statements[query] = st
	return st, nil
}

// Choose returns the generation that answers the queries of a view, see [projections.Store], or -1.
func Choose(v *projections.View, n int, at func(int) Listed) int {
	shape, best := Shape(v), -1
	for i := range n {
		if g := at(i); g.Shape == shape && (best < 0 || better(g, at(best))) {
			best = i
		}
	}
	return best
}

// better reports whether a later generation is the one to ask rather than an earlier one. Of several that are being
// built, the keeper goes on with the first of the newest version.
func better(later, earlier Listed) bool {
	if later.Live != earlier.Live {
		return later.Live
	}
	return later.Live || later.Version > earlier.Version
}

// Close lets go of the prepared statements.
func (s *Space) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.statements {
		_ = st.Close() // the table that it was for is gone
	}
	s.statements = nil
}
