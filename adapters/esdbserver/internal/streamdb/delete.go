package streamdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// DeletedError says that a stream is deleted. errors.Is [domain.ErrStreamDeleted] holds.
type DeletedError struct{ Stream string }

// Error implements error.
func (e *DeletedError) Error() string { return fmt.Sprintf("stream %s is deleted", e.Stream) }

// Is reports true for [domain.ErrStreamDeleted].
func (e *DeletedError) Is(target error) bool { return target == domain.ErrStreamDeleted }

// Delete deletes the stream softly: it reads as not found, and an append goes on with the
// next number. It returns the position of the deletion.
func (db *DB) Delete(ctx context.Context, stream string, expected domain.Expected) (domain.Position, error) {
	lock := db.lock(stream)
	lock.Lock()
	defer lock.Unlock()
	i, current, err := db.check(ctx, stream, expected)
	if err != nil {
		return 0, err
	}
	if current == NoNumber && i.metaRevision == noMetaEvent {
		return 0, &domain.ConflictError{Stream: stream, Expected: expected, Actual: domain.NoStream}
	}
	meta := MetastreamOf(stream)
	done, err := db.write(ctx, meta, domain.AnyRevision, newMetadataEvent(fmt.Appendf(nil, `{"$tb":%d}`, int64(Tombstoned))))
	db.infos.observe(meta, TypeMetadata)
	return done.Position, err
}

// Tombstone deletes the stream for ever: nothing can be read from it or appended to it. It
// returns the position of the tombstone.
func (db *DB) Tombstone(ctx context.Context, stream string, expected domain.Expected) (domain.Position, error) {
	lock := db.lock(stream)
	lock.Lock()
	defer lock.Unlock()
	for {
		_, current, err := db.check(ctx, stream, expected)
		if err != nil {
			return 0, err
		}
		tombstone := domain.NewEvent{ID: uuid.New(), Type: TypeTombstone}
		done, err := db.write(ctx, stream, domain.Expected(current), tombstone)
		db.infos.observe(stream, TypeTombstone)
		if !errors.Is(err, domain.ErrConflict) {
			return done.Position, err
		}
		// Somebody appended through the log itself: judge again.
	}
}
