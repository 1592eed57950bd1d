package streamdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
)

// check judges the expected revision of an operation other than an ordinary append. It returns
// the stream's info and the number of its last event. The lock is held.
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

// appendExclusive makes an append that may need more than one append to the log: to a deleted
// stream, to the metastream of one, or of no events. The lock is held, exclusively.
func (db *DB) appendExclusive(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) (Appended, error) {
	i, current, err := db.check(ctx, stream, expected)
	if i != nil && i.tombstoned && len(events) == 0 && (expected == domain.AnyRevision || expected == domain.NoStream) {
		return Appended{Number: NoNumber}, nil
	}
	conflict := errors.Is(err, domain.ErrConflict)
	if err != nil && !conflict {
		return Appended{}, err
	}
	// Before the stream's end, a repeat of an earlier append gets the same answer as then.
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

// unlocated is the answer to a repeat. It has no position where the stream is softly deleted: the
// events that it repeats cannot be read any more.
func unlocated(result Appended, i *info) Appended {
	if i.softDeleted() {
		result.Position = 0
	}
	return result
}

// undeletion returns a function that ends a soft deletion: the stream goes on from the number after
// current. Call it after an append to the stream or to its metastream. Until it has run, even after
// a crash, [DB.info] finds the same from the order of the events.
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
