package streamdb

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/atonehq/atone/domain"
)

// write appends to the log itself.
func (db *DB) write(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if b, ok := db.log.(domain.AppendBeginner); ok {
		return b.BeginAppend(ctx, db.limit, stream, expected, events...)()
	}
	return db.log.Append(ctx, stream, expected, events...)
}

// EndPosition returns the position of the log's last event, 0 for an empty log.
func (db *DB) EndPosition(ctx context.Context) (domain.Position, error) {
	for event, err := range db.log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{}) {
		return event.Position, err
	}
	return 0, nil
}

// lock returns the lock of the stream; a metastream shares its stream's lock.
func (db *DB) lock(stream string) *sync.RWMutex {
	for IsMetastream(stream) {
		stream = OriginalOf(stream)
	}
	return &db.locks[maphash.String(db.seed, stream)%uint64(len(db.locks))]
}

// last returns the last event of the stream as the log has it.
func (db *DB) last(ctx context.Context, stream string) (domain.Recorded, bool, error) {
	for event, err := range db.log.ReadStreamBackward(ctx, stream, domain.End) {
		return event, err == nil, err
	}
	return domain.Recorded{}, false, nil
}

// current returns the number of the stream's last event in the log, or [NoNumber].
func (db *DB) current(ctx context.Context, stream string) (int64, error) {
	head, found, err := db.last(ctx, stream)
	if err != nil || !found {
		return NoNumber, err
	}
	return int64(head.Revision), nil
}

// at returns the place of the stream's event of that number.
func (db *DB) at(ctx context.Context, stream string, number int64) (Appended, error) {
	for event, err := range db.log.ReadStream(ctx, stream, uint64(number)) {
		return Appended{number, event.Position}, err
	}
	return Appended{}, fmt.Errorf("event %d of stream %s is remembered, but not in the log", number, stream)
}
