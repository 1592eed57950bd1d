package pebblelog

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/atonehq/atone/adapters/pebblelog/internal/mark"
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

	// failed is closed once failure is set; failure does not change afterwards.
	failed   chan struct{}
	failOnce sync.Once
	failure  error

	// mark follows durable. Only keepMark uses it, and Close once keepMark has ended and closed
	// marked. unmarked holds a token while something is durable that the mark does not cover yet.
	mark     *mark.Mark
	unmarked chan struct{}
	marked   chan struct{}

	counters counters
}

var _ domain.Log = (*Log)(nil)

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

// damaged returns what callers get to know of an error of the store: c, when err is nil or says
// that the store is damaged; else err.
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
		if info.Details != nil { // the error around it only carries the place
			c.Err = info.Details
		}
	}
	return c
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
