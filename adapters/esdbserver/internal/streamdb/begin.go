package streamdb

import (
	"context"
	"errors"
	"sync"

	"github.com/atonehq/atone/domain"
)

// Begin puts an append in line and returns a function that waits for its result, which must be
// called once: appends that one goroutine began one after the other share syncs and are written
// in that order. ok is false where that is not possible, for the stream or for the log: then the
// caller appends with [DB.Append], when everything before it has ended.
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
		return db.appendPlain(ctx, stream, expected, events) // which judges it again, and finds a repeat
	}, true
}
