package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"time"

	"github.com/atonehq/atone/projections"
)

// lease is an advisory lock of a session: it ends with the session, however that ends.
type lease struct {
	conn *sql.Conn
	key  string
	lost chan struct{}
	stop context.CancelFunc
	beat sync.WaitGroup
}

// Lease implements [projections.Store] across all processes that share the schema.
func (s *Store) Lease(ctx context.Context, view string) (projections.Lease, error) {
	conn, err := s.leases.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("postgres: connect for the lease of %s: %w", view, err)
	}
	key := s.cfg.Schema + "/" + view
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(hashtextextended($1, 2))`, key); err != nil {
		discard(conn)
		return nil, fmt.Errorf("postgres: wait for the lease of %s: %w", view, err)
	}
	beats, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{conn: conn, key: key, lost: make(chan struct{}), stop: stop}
	l.beat.Go(func() { l.watch(beats, s.cfg.Beat) })
	return l, nil
}

// watch checks whether the session has ended.
func (l *lease) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		pinged, cancel := context.WithTimeout(ctx, every)
		err := l.conn.PingContext(pinged)
		cancel()
		if err != nil && ctx.Err() == nil {
			close(l.lost)
			return
		}
	}
}

// Lost implements [projections.Lease].
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release implements [projections.Lease]. It closes the session, which releases the lock in any
// case.
func (l *lease) Release() {
	l.stop()
	l.beat.Wait()
	discard(l.conn)
}

// discard closes a connection instead of giving it back to the pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close() // an error means that it is closed already
}
