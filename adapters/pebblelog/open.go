package pebblelog

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/atonehq/atone/adapters/pebblelog/internal/mark"
	"github.com/atonehq/atone/domain"
)

// Open opens the log in the directory, or makes one if the directory is empty or missing,
// and starts its goroutines; they end with [Log.Close].
//
// It fails with [ErrLocked] while the log is open elsewhere, with [ErrNewerFormat] or
// [ErrNotALog] on directories that it must not touch, and with a [*CorruptionError] where
// the log can't be recovered without losing what was acknowledged.
func Open(dir string, cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	cfg.setDefaults()
	if err := precheck(dir, cfg); err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	l, err := openStore(dir, cfg, false)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	c, err := newCommitter(l)
	if err == nil {
		l.mark, err = mark.Start(cfg.FS, dir, c.position)
		err = errors.Join(err, l.err())
	}
	if err != nil {
		if l.mark != nil {
			err = errors.Join(err, l.mark.Close())
		}
		return nil, errors.Join(fmt.Errorf("open log %s: %w", dir, err), closeStore(l.db))
	}
	l.durable.Store(uint64(c.position))
	l.tail.start(c.position)
	go c.run()
	go l.keepMark()
	return l, nil
}

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
		defer func() { _ = l.mark.Close() }() // everything written to it was synced
		if err := l.err(); err != nil {
			_ = closeStore(l.db) // the log has failed already, and says why
			return
		}
		// Sync everything before the write-ahead log's trailer is written: checkWAL takes the
		// trailer as proof that everything before it was synced.
		err := l.db.LogData(nil, pebble.Sync)
		if err == nil {
			err = l.mark.Advance(domain.Position(l.durable.Load()))
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
