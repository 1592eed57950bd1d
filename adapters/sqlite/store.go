package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore"
)

// Config sets up a [Store].
type Config struct {
	// Dir is where the files are; it is created if it does not exist. Required.
	Dir string
	// Readers bounds the queries that run at once on one view; 4 when 0.
	Readers int
	// CacheKiB is the page cache of each connection; 16 MiB for the writer and a quarter of it for
	// a reader when 0.
	CacheKiB int
}

func (c *Config) setDefaults() {
	if c.Readers == 0 {
		c.Readers = 4
	}
	if c.CacheKiB == 0 {
		c.CacheKiB = 16 << 10
	}
}

// Validate reports everything that is wrong with the configuration.
func (c *Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("sqlite: Dir is empty: name a directory for the views"))
	}
	if c.Readers < 0 || c.CacheKiB < 0 {
		errs = append(errs, fmt.Errorf("sqlite: Readers (%d) and CacheKiB (%d) must not be negative", c.Readers, c.CacheKiB))
	}
	return errors.Join(errs...)
}

// Store is a [projections.Store] in SQLite files. Methods are safe to call concurrently. Several
// processes may open one directory; only one of them should run a Runner, or they do the same work
// twice.
type Store struct {
	cfg Config

	creating sync.Mutex // held by Create

	mu     sync.Mutex
	files  map[string]*file // by name
	leases map[string]chan struct{}
	closed bool
}

var _ projections.Store = (*Store)(nil)

// Open opens the views of a directory. It reads nothing yet.
func Open(cfg Config) (*Store, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("sqlite: make the directory for the views: %w", err)
	}
	return &Store{cfg: cfg, files: make(map[string]*file), leases: make(map[string]chan struct{})}, nil
}

// Close waits for running queries and closes all files. Later calls fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.close())
	}
	clear(s.files)
	return errors.Join(errs...)
}

// file is the database of one generation.
type file struct {
	path        string
	view        string
	number      int
	write, read *sql.DB

	spaceMu sync.Mutex
	space   *sqlstore.Space // set by spaceOf
	use     sync.RWMutex    // held for reading by queries, for writing by close
	gone    bool
	used    atomic.Bool // the file exists, or did
}

func (f *file) close() error {
	f.use.Lock()
	defer f.use.Unlock()
	if f.gone {
		return nil
	}
	f.gone = true
	return errors.Join(f.read.Close(), f.write.Close())
}

// remove closes the file and deletes it.
func (f *file) remove() error {
	err := f.close()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if rerr := os.Remove(f.path + suffix); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

func (s *Store) path(view string, number int) string {
	return filepath.Join(s.cfg.Dir, view+"."+strconv.Itoa(number)+".db")
}

// file returns the open file of a generation; it need not exist.
func (s *Store) file(view string, number int) (*file, error) { return s.open(view, number, "rw") }

func (s *Store) open(view string, number int, mode string) (*file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("sqlite: the store of the views is closed")
	}
	path := s.path(view, number)
	if f := s.files[path]; f != nil && (mode == "rw" || f.used.Load()) {
		return f, nil
	} else if f != nil { // it was looked for before it was made
		delete(s.files, path)
		if err := f.close(); err != nil {
			return nil, fmt.Errorf("close %s: %w", path, err)
		}
	}
	f := &file{path: path, view: view, number: number}
	var err error
	// Only Create makes a file: opening one that was just removed must not bring it back.
	if f.write, err = sql.Open("sqlite", s.dsn(path, s.cfg.CacheKiB)+writing+"&mode="+mode); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// One connection writes. database/sql prepares statements on the second while the first is in a
	// transaction.
	f.write.SetMaxOpenConns(2)
	if f.read, err = sql.Open("sqlite", s.dsn(path, s.cfg.CacheKiB/4)+"&_pragma=query_only(1)&mode=rw"); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), f.write.Close())
	}
	f.read.SetMaxOpenConns(s.cfg.Readers)
	f.read.SetMaxIdleConns(s.cfg.Readers)
	s.files[path] = f
	return f, nil
}

// writing has the settings that only the writer makes: the journal's mode stays with the file, and
// setting it takes a lock for which no timeout applies.
const writing = "&_txlock=immediate&_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=wal_autocheckpoint(4000)&_pragma=journal_size_limit(67108864)"

func (s *Store) dsn(path string, cacheKiB int) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return u.String() + "?_pragma=busy_timeout(10000)&_pragma=temp_store(memory)&_pragma=cache_size(-" + strconv.Itoa(cacheKiB) + ")"
}

// spaceOf returns the tables of a generation as the view describes them.
func (s *Store) spaceOf(f *file, v *projections.View) *sqlstore.Space {
	f.spaceMu.Lock() // not the store's lock: open may hold that while it waits for a file
	defer f.spaceMu.Unlock()
	if f.space == nil || f.space.View != v {
		f.space = &sqlstore.Space{DB: f.write, Dialect: dialect{}, View: v, Number: f.number}
	}
	return f.space
}

// numbers lists the generations that have a file.
func (s *Store) numbers(view string) ([]int, error) {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("sqlite: list the views: %w", err)
	}
	var out []int
	for _, e := range entries {
		middle, ok := strings.CutPrefix(e.Name(), view+".")
		if !ok {
			continue
		}
		if middle, ok = strings.CutSuffix(middle, ".db"); !ok {
			continue
		}
		if n, err := strconv.Atoi(middle); err == nil && n > 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// listed is a generation and the file that it is in.
type listed struct {
	sqlstore.Listed
	file *file
}

// superseded returns [projections.ErrSuperseded] if err comes from a file that was removed, else
// err.
func (f *file) superseded(err error) error {
	if err == nil || errors.Is(err, projections.ErrSuperseded) {
		return err
	}
	if !exists(f.path) {
		return fmt.Errorf("%s was removed (%w): %w", f.path, err, projections.ErrSuperseded)
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// forget closes the files of the view that another process removed. It leaves a file alone that was
// made after the numbers were read.
func (s *Store) forget(view string, numbers []int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for path, f := range s.files {
		if f.view == view && f.used.Load() && !slices.Contains(numbers, f.number) && !exists(path) {
			delete(s.files, path)
			errs = append(errs, f.close())
		}
	}
	return errors.Join(errs...)
}

// list reads the catalog of each file. Of several live ones, left by a crash in the middle of a
// swap, only the newest counts.
func (s *Store) list(ctx context.Context, view string) ([]listed, error) {
	numbers, err := s.numbers(view)
	if err != nil {
		return nil, err
	}
	if err := s.forget(view, numbers); err != nil {
		return nil, err
	}
	var out []listed
	for _, n := range numbers {
		f, err := s.file(view, n)
		if err != nil {
			return nil, err
		}
		g, err := f.generation(ctx)
		if errors.Is(f.superseded(err), projections.ErrSuperseded) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("sqlite: %s: %w", f.path, err)
		}
		if g == nil {
			continue // being created, or being removed
		}
		if g.Live {
			out = slices.DeleteFunc(out, func(l listed) bool { return l.Live })
		}
		out = append(out, listed{*g, f})
	}
	return out, nil
}

// generation reads the file's own entry; nil where there is none.
func (f *file) generation(ctx context.Context) (*sqlstore.Listed, error) {
	f.use.RLock()
	defer f.use.RUnlock()
	if f.gone {
		return nil, nil
	}
	var there int
	if err := f.read.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name = 'atone_generations'`).Scan(&there); err != nil || there == 0 {
		return nil, err
	}
	f.used.Store(true)
	all, err := sqlstore.Generations(ctx, f.read, dialect{}, f.view)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[len(all)-1], nil
}
