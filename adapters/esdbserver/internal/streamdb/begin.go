package streamdb

import (
	"context"
	"errors"
	"sync"

	"github.com/atonehq/atone/domain"
)

// Begin starts an append and returns a function that waits for its result. The caller must call
// that function once. Appends that one goroutine begins one after the other share syncs and are
// written in that order. If ok is false, the stream or the log cannot do that: wait for the appends
// before, then use [DB.Append].
func (db *DB) Begin(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) (wait func() (Appended, error), ok bool) {
	log, ok := db.log.(domain.AppendBeginner)
	if !ok || len(events) == 0 {
		return nil, false
	}
	lock := db.lock(stream)
	if !lock.TryRLock() {
		return nil, false // a deletion is under way
	}
	unlock := sync.OnceFunc(lock.RUnlock)
	if plain, err := db.isPlain(ctx, stream); err != nil || !plain {
		unlock()
		return nil, false
	}
	var reserved chan struct{}
	switch expected {
	case domain.StreamExists:
		unlock()
		return nil, false
	case domain.AnyRevision:
		v, _, done := db.ids.reserve(stream, events)
		if v != allNew {
			unlock()
			return nil, false
		}
		reserved = done
	}
	result := log.BeginAppend(ctx, db.limit, stream, expected, events...)
	return func() (Appended, error) {
		defer unlock()
		done, err := result()
		if err == nil {
			db.appended(stream, events, int64(done.Revision), reserved)
			return Appended{int64(done.Revision), done.Position}, nil
		}
		if reserved != nil {
			db.ids.release(stream, events, reserved)
		}
		if reserved != nil || !errors.Is(err, domain.ErrConflict) {
			return Appended{}, err
		}
		// It may be a repeat: appendPlain finds out.
		return db.appendPlain(ctx, stream, expected, events)
	}, true
}
