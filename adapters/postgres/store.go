package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore"
)

// Config sets up a [Store].
type Config struct {
	// URL is a connection string, as a URL or as key=value pairs; required.
	URL string
	// Schema holds the views; it is created if it does not exist. "atone" when empty.
	Schema string
	// MaxConns bounds the connections for writing and queries; 10 when 0. Each view that is being
	// updated, or waits for its turn, holds one more.
	MaxConns int
	// Beat is how often a lease checks that its connection still stands; 5 s when 0.
	Beat time.Duration
}

func (c *Config) setDefaults() {
	if c.Schema == "" {
		c.Schema = "atone"
	}
	if c.MaxConns == 0 {
		c.MaxConns = 10
	}
	if c.Beat == 0 {
		c.Beat = 5 * time.Second
	}
}

var schemaName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Validate reports everything that is wrong with the configuration.
func (c *Config) Validate() error {
	var errs []error
	if c.URL == "" {
		errs = append(errs, errors.New("postgres: URL is empty: give a connection string"))
	}
	if !schemaName.MatchString(c.Schema) {
		errs = append(errs, fmt.Errorf("postgres: Schema %q must match %s", c.Schema, schemaName))
	}
	if c.MaxConns < 0 || c.Beat < 0 {
		errs = append(errs, fmt.Errorf("postgres: MaxConns (%d) and Beat (%v) must not be negative", c.MaxConns, c.Beat))
	}
	return errors.Join(errs...)
}

// Store is a [projections.Store] in PostgreSQL. Methods are safe to call concurrently.
type Store struct {
	cfg    Config
	db     *sql.DB
	leases *sql.DB // each connection holds one lease, or waits for it

	mu     sync.Mutex
	spaces map[spaceKey]*sqlstore.Space
}

type spaceKey struct {
	view   *projections.View
	number int
}

var _ projections.Store = (*Store)(nil)

// Open connects to the database and makes sure that the schema is there.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	conn, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("postgres: the URL can't be read: %w", err)
	}
	conn.RuntimeParams["search_path"] = cfg.Schema
	conn.RuntimeParams["synchronous_commit"] = "off"
	for name, value := range defaultSettings {
		if conn.RuntimeParams[name] == "" {
			conn.RuntimeParams[name] = value
		}
	}
	s := &Store{cfg: cfg, db: stdlib.OpenDB(*conn), leases: stdlib.OpenDB(*conn), spaces: make(map[spaceKey]*sqlstore.Space)}
	s.db.SetMaxOpenConns(cfg.MaxConns)
	s.db.SetMaxIdleConns(cfg.MaxConns)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres: set up schema %s: %w", cfg.Schema, err), s.Close())
	}
	return s, nil
}

// defaultSettings apply unless the URL sets others. Queries are for one page of rows, so plans that
// read whole tables first, or start parallel workers, never pay off; the planner would choose them
// when it expects few rows.
var defaultSettings = map[string]string{
	"application_name": "atone",
	"enable_hashjoin":  "off", "enable_mergejoin": "off", "max_parallel_workers_per_gather": "0", "jit": "off", "random_page_cost": "1.1",
}

// prepare creates the schema and the catalog. A lock keeps two processes from doing so at once: IF
// NOT EXISTS does not.
func (s *Store) prepare(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	for _, q := range []string{
		`SELECT pg_advisory_xact_lock(hashtextextended('atone set up', 0))`,
		`CREATE SCHEMA IF NOT EXISTS "` + s.cfg.Schema + `"`,
		sqlstore.Catalog,
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Close closes all connections; queries under way fail.
func (s *Store) Close() error { return errors.Join(s.db.Close(), s.leases.Close()) }

func prefix(view string, number int) string { return view + "$" + strconv.Itoa(number) + "$" }

// space returns the tables of a generation as the view describes them.
func (s *Store) space(v *projections.View, number int) *sqlstore.Space {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := spaceKey{v, number}
	if s.spaces[k] == nil {
		s.spaces[k] = &sqlstore.Space{DB: s.db, Dialect: dialect{}, View: v, Number: number, Prefix: prefix(v.Name, number)}
	}
	return s.spaces[k]
}

// undefinedTable is PostgreSQL's code for a table that is not there.
const undefinedTable = "42P01"

func isUndefinedTable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == undefinedTable
}

// within runs f in a transaction.
func (s *Store) within(ctx context.Context, opts *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
