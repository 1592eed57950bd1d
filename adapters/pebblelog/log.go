package pebblelog

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/atonehq/atone/domain"
)

// Log is a [domain.Log] in a directory. Make one with [Open], and [Log.Close] it. All
// methods are safe to call concurrently.
type Log struct {
	dir string
	cfg Config
	db  *pebble.DB

	queue *queue
	tail  *tail
	large largeRecords
	// done is closed when the goroutines of the log have ended.
	done chan struct{}

	// durable is the last position that readers may see: what follows is not on disk yet.
	durable atomic.Uint64

	// open is held for reading while the store is read, and for writing while it is closed.
	open   sync.RWMutex
	closed bool
	// closing is closed when Close begins.
	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error

	// failed is closed after failure, which then stays as it is, was set.
	failed   chan struct{}
	failOnce sync.Once
	failure  error

	// mark follows durable. Only keepMark uses it, and Close after that has ended, which closes marked. unmarked
	// holds a word while something is durable that the mark does not name.
	mark     mark
	unmarked chan struct{}
	marked   chan struct{}

	counters counters
}

var _ domain.Log = (*Log)(nil)

// Close ends the log: appends that are under way finish, later ones and those still in the
// queue fail with [domain.ErrClosed], subscriptions and reads end with it. It returns after
// the log's goroutines have ended and the directory may be opened again. Closing again does
// nothing and returns the same error.
func (l *Log) Close() error {
	l.closeOnce.Do(func() {
		close(l.closing)
		l.queue.close()
		select {
		case <-l.done:
		case <-l.failedFor(closePatience):
			l.closeErr = fmt.Errorf("close the log: its store hangs after a failed write: end the process: %w", l.err())
			return
		}
		l.open.Lock()
		defer l.open.Unlock()
		l.closed = true
		<-l.marked
		defer l.mark.file.Close() // what was to be written to it was synced
		if err := l.err(); err != nil {
			closeStore(l.db) // no news: the log failed, and what was acknowledged is safe
			return
		}
		// What the store has not synced yet must be before its log's trailer is written, which
		// checkWAL takes as a proof of it.
		err := l.db.LogData(nil, pebble.Sync)
		if err == nil {
			err = l.mark.advance(domain.Position(l.durable.Load()))
		}
		l.closeErr = errors.Join(l.err(), err, closeStore(l.db))
	})
	return l.closeErr
}

// closePatience is how long Close waits for a store that can't write any more.
const closePatience = 10 * time.Second

// failedFor returns a channel that is closed when the log has failed and this much time
// went by since.
func (l *Log) failedFor(d time.Duration) <-chan struct{} {
	over := make(chan struct{})
	go func() {
		select {
		case <-l.done:
		case <-l.failed:
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-l.done:
			case <-timer.C:
				close(over)
			}
		}
	}()
	return over
}

// closeStore closes the database, which after a failed write may well panic.
func closeStore(db *pebble.DB) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("close the log's store: %v", p)
		}
	}()
	if err := db.Close(); err != nil {
		return fmt.Errorf("close the log's store: %w", err)
	}
	return nil
}

// acquire keeps the store open until release; it fails when the log is closed.
func (l *Log) acquire() error {
	l.open.RLock()
	if l.closed {
		l.open.RUnlock()
		return domain.ErrClosed
	}
	select {
	case <-l.closing:
		l.open.RUnlock()
		return domain.ErrClosed
	default:
		return nil
	}
}

func (l *Log) release() { l.open.RUnlock() }

// fail makes every append from now on fail. The first cause is kept.
func (l *Log) fail(cause error) {
	l.failOnce.Do(func() {
		l.failure = fmt.Errorf("%w: %w: free space or repair the disk, then open the log again", ErrFailed, cause)
		close(l.failed)
		l.cfg.Logger.Error("log failed: it takes no more appends until it is opened again", "dir", l.dir, "err", cause)
	})
}

// err returns why the log failed, nil when it did not.
func (l *Log) err() error {
	select {
	case <-l.failed:
		return l.failure
	default:
		return nil
	}
}

// damaged turns an error of the store into what callers get: a [*CorruptionError] as
// prepared, when the store is damaged or when there is no error but c; else the error.
func (l *Log) damaged(err error, c *CorruptionError) error {
	switch {
	case err == nil:
		return c
	case !pebble.IsCorruptionError(err):
		return fmt.Errorf("read the log: %w", err)
	}
	c.Err = err
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		c.File = info.Path
		if info.Details != nil { // the error around it is only how Pebble passes the place on
			c.Err = info.Details
		}
	}
	return c
}

// storeLogger passes Pebble's complaints on. Pebble takes it that Fatalf ends the process;
// here it ends only the taking of appends.
type storeLogger struct{ log *Log }

func (s storeLogger) Infof(string, ...any) {} // flushes, compactions: Metrics tells of them

func (s storeLogger) Errorf(format string, args ...any) {
	s.log.cfg.Logger.Error("log store: "+fmt.Sprintf(format, args...), "dir", s.log.dir)
}

func (s storeLogger) Fatalf(format string, args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			s.log.fail(err)
			return
		}
	}
	s.log.fail(fmt.Errorf(format, args...))
}

// events listens for what concerns the log.
func (l *Log) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if !errors.Is(err, pebble.ErrCancelledCompaction) {
				l.fail(err)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			l.cfg.Logger.Error("log store is damaged", "dir", l.dir, "file", info.Path, "err", info.Details)
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			l.counters.slowDisk.Add(1)
			l.cfg.Logger.Warn("disk is slow", "dir", l.dir, "file", info.Path, "for", info.Duration)
		},
	}
}
