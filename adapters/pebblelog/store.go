package pebblelog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/atonehq/atone/adapters/pebblelog/internal/smallfile"
	"github.com/atonehq/atone/adapters/pebblelog/internal/stopfs"
)

const (
	// Format is the format of the directories that this version writes.
	Format       = 1
	formatFile   = "FORMAT"
	formatPrefix = "atone log format "
	// storeFormat pins Pebble's own format: from this one on, its write-ahead log tells a torn
	// tail from damage, and its tables' footers have checksums.
	storeFormat = pebble.FormatTableFormatV6
)

// openStore checks the directory and opens the database in it. It starts no goroutine of the log.
func openStore(dir string, cfg Config, readOnly bool) (*Log, error) {
	l := &Log{
		dir: dir, cfg: cfg, queue: newQueue(), tail: newTail(cfg.TailBytes),
		done: make(chan struct{}), closing: make(chan struct{}), failed: make(chan struct{}),
		unmarked: make(chan struct{}, 1), marked: make(chan struct{}),
	}
	if !readOnly {
		if err := cfg.FS.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	lock, err := pebble.LockDirectory(dir, cfg.FS)
	if err != nil {
		return nil, explainLock(err, dir)
	}
	defer func() { _ = lock.Close() }() // the database keeps a reference of its own
	formatted, err := checkFormat(cfg.FS, dir)
	if err != nil {
		return nil, err
	}
	if readOnly && !formatted {
		return nil, fmt.Errorf("%w: it has no file %s", ErrNotALog, formatFile)
	}
	if formatted {
		err = checkWAL(cfg.FS, dir)
	} else {
		err = l.create(lock)
	}
	if err != nil {
		return nil, err
	}
	opts := l.storeOptions()
	defer opts.Cache.Unref()
	opts.Lock, opts.ReadOnly, opts.ErrorIfNotExists = lock, readOnly, true
	if err = l.openDB(opts); err != nil {
		return nil, l.explainOpen(err)
	}
	return l, nil
}

// openDB opens the database. Pebble may have to write for that and repeats failed writes endlessly,
// so on a full disk it never returns: openDB then abandons it. The abandoned database writes
// nothing (see package stopfs), but keeps the directory's lock until the program ends.
func (l *Log) openDB(opts *pebble.Options) error {
	type opened struct {
		db  *pebble.DB
		err error
	}
	done := make(chan opened, 1)
	go func() {
		db, err := pebble.Open(l.dir, opts)
		done <- opened{db, err}
	}()
	take := func(o opened) error {
		l.db = o.db
		return o.err
	}
	select {
	case o := <-done:
		return take(o)
	case <-l.failed:
	}
	patience := time.NewTimer(stopfs.RetryPause)
	defer patience.Stop()
	select {
	case o := <-done:
		return take(o)
	case <-patience.C:
		return l.err()
	}
}

// create makes a database and marks the directory as a log. The database has to be opened
// again before it is used: Pebble writes the first log of a new database in an old format,
// which cannot tell damage from a torn end.
func (l *Log) create(lock *pebble.Lock) error {
	opts := l.storeOptions()
	defer opts.Cache.Unref()
	opts.Lock = lock
	var err error
	if err = l.openDB(opts); err != nil {
		return l.explainOpen(err)
	}
	if err := l.mustBeEmpty(); err != nil {
		return errors.Join(err, closeStore(l.db))
	}
	if err := errors.Join(l.db.Close(), l.err()); err != nil {
		return err
	}
	// A crash before leaves an empty database, which the next Open marks.
	return smallfile.Replace(l.cfg.FS, l.dir, formatFile, fmt.Sprintf("%s%d\n", formatPrefix, Format))
}

// checkFormat reports whether the directory is marked as a log that this version can use.
func checkFormat(fs vfs.FS, dir string) (bool, error) {
	f, err := fs.Open(fs.PathJoin(dir, formatFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil {
		return false, err
	}
	number, found := strings.CutPrefix(strings.TrimSpace(string(content)), formatPrefix)
	version, err := strconv.Atoi(number)
	switch {
	case !found || err != nil || version < 1:
		return false, fmt.Errorf("%w: the file %s says %q", ErrNotALog, formatFile, content)
	case version > Format:
		return false, fmt.Errorf("%w: %d, while this version of atone knows formats up to %d: upgrade atone", ErrNewerFormat, version, Format)
	}
	return true, nil
}

// mustBeEmpty refuses a database with anything in it: it is somebody else's.
func (l *Log) mustBeEmpty() error {
	iter, err := l.db.NewIter(nil)
	if err != nil {
		return err
	}
	empty := !iter.First()
	if err := errors.Join(iter.Error(), iter.Close()); err != nil {
		return err
	}
	if !empty {
		return fmt.Errorf("%w: it holds a Pebble database without the file %s", ErrNotALog, formatFile)
	}
	return nil
}

// explainLock tells a lock that is held from a directory that can't be used.
func explainLock(err error, dir string) error {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "lock") {
		return fmt.Errorf("%w: stop the process that has it open (`fuser -v %s` shows it), or use another directory: %w",
			ErrLocked, filepath.Join(dir, "LOCK"), err)
	}
	return err
}

// explainOpen turns Pebble's error of opening the store into one of this package.
func (l *Log) explainOpen(err error) error {
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return fmt.Errorf("%w: the file %s is there, the data is not (no file marker.manifest.* names it): restore a backup: %w", ErrNotALog, formatFile, err)
	}
	return l.blame(err)
}
