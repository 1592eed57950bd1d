package streamdb

import (
	"context"

	"github.com/atonehq/atone/domain"
)

// NoNumber is the event number of a stream without events.
const NoNumber int64 = -1

// Appended is the answer to an append: the number of the last event that it wrote, or
// [NoNumber], and that event's position in the log. For an append of no events it is the
// stream's last number and the position of the log's last event; 0 means that there is none.
type Appended struct {
	Number   int64
	Position domain.Position
}

// Append writes the events by EventStoreDB's table of expected revisions and ids. It
// returns a [*domain.ConflictError] for a wrong expected revision, an error for which
// errors.Is [domain.ErrStreamDeleted] holds where the stream is deleted, and
// [domain.ErrTooLarge] over the log's limit.
func (db *DB) Append(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) (Appended, error) {
	lock := db.lock(stream)
	lock.RLock()
	plain, err := db.isPlain(ctx, stream)
	if plain && len(events) > 0 {
		defer lock.RUnlock()
		return db.appendPlain(ctx, stream, expected, events)
	}
	lock.RUnlock()
	if err != nil {
		return Appended{}, err
	}
	lock.Lock()
	defer lock.Unlock()
	return db.appendExclusive(ctx, stream, expected, events)
}
