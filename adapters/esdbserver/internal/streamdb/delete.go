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

// check applies the table to an operation that writes no events of the caller to the stream. It
// returns the stream's info and the number of its last event. The lock is held.
func (db *DB) check(ctx context.Context, stream string, expected domain.Expected) (*info, int64, error) {
	i, err := db.info(ctx, stream)
	if err != nil {
		return nil, NoNumber, err
	}
	if i.tombstoned {
		return i, Tombstoned, &DeletedError{stream}
	}
	current, err := db.current(ctx, stream)
	if err != nil {
		return nil, NoNumber, err
	}
	ok := int64(expected) == current
	switch expected {
	case domain.AnyRevision:
		ok = true
	case domain.StreamExists:
		if i.softDeleted() {
			return i, current, &DeletedError{stream}
		}
		ok = current != NoNumber || i.metaRevision != noMetaEvent
	case domain.NoStream:
		ok = current == NoNumber || i.softDeleted()
	}
	if !ok {
		return i, current, &domain.ConflictError{Stream: stream, Expected: expected, Actual: domain.Expected(current)}
	}
	return i, current, nil
}

// appendExclusive appends where more than one append to the log may be needed: to a deleted
// stream, to the metastream of one, or nothing at all. The lock is held, exclusively.
func (db *DB) appendExclusive(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) (Appended, error) {
	i, current, err := db.check(ctx, stream, expected)
	if i != nil && i.tombstoned && len(events) == 0 && (expected == domain.AnyRevision || expected == domain.NoStream) {
		return Appended{Number: NoNumber}, nil
	}
	conflict := errors.Is(err, domain.ErrConflict)
	if err != nil && !conflict {
		return Appended{}, err
	}
	// Behind the stream's end, a repeat of an earlier append is answered as it was then.
	if len(events) > 0 && expected >= domain.NoStream && int64(expected) < current {
		earlier, standing, repeatErr := db.compare(ctx, stream, expected, events)
		if repeatErr != nil || standing == len(events) {
			return unlocated(earlier, i), repeatErr
		}
		if standing > 0 {
			return Appended{}, &domain.ConflictError{Stream: stream, Expected: expected, Actual: domain.Expected(current)}
		}
	}
	if conflict {
		return Appended{}, err
	}
	undelete, err := db.undeletion(ctx, stream, i, current)
	if err != nil {
		return Appended{}, err
	}
	result := Appended{Number: current}
	if len(events) > 0 {
		if expected == domain.NoStream {
			expected = domain.Expected(current) // the stream is new, or softly deleted
		}
		if result, err = db.appendPlain(ctx, stream, expected, events); err != nil || result.Number <= current {
			return unlocated(result, i), err
		}
	} else if result.Position, err = db.EndPosition(ctx); err != nil {
		return result, err
	}
	return result, undelete()
}

// unlocated is the answer to a repeat whose original can't be read any more, as the stream is softly
// deleted: it has no position then.
func unlocated(result Appended, i *info) Appended {
	if i.softDeleted() {
		result.Position = 0
	}
	return result
}

// undeletion returns what ends a soft deletion after an append to the stream or to its
// metastream: the stream goes on from the number after current. Until it has run, and if a
// crash prevents it, [DB.info] tells the same from the order of the events.
func (db *DB) undeletion(ctx context.Context, stream string, i *info, current int64) (func() error, error) {
	nothing := func() error { return nil }
	if !IsMetastream(stream) {
		if !i.softDeleted() {
			return nothing, nil
		}
		return func() error { return db.writeMeta(ctx, stream, withTruncateBefore(i.rawMeta, current+1)) }, nil
	}
	original := OriginalOf(stream)
	before, err := db.info(ctx, original)
	if err != nil || !before.softDeleted() {
		return nothing, err
	}
	return func() error {
		last, err := db.current(ctx, original)
		if err != nil {
			return err
		}
		event, _, err := db.last(ctx, stream)
		if err != nil {
			return err
		}
		return db.writeMeta(ctx, original, withTruncateBefore(event.Data, last+1))
	}, nil
}

func (db *DB) writeMeta(ctx context.Context, stream string, data []byte) error {
	meta := MetastreamOf(stream)
	_, err := db.write(ctx, meta, domain.AnyRevision, newMetadataEvent(data))
	db.infos.observe(meta, TypeMetadata)
	if err != nil {
		return fmt.Errorf("write the metadata of stream %s: %w", stream, err)
	}
	return nil
}

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
