package streamdb

import (
	"context"
	"errors"

	"github.com/atonehq/atone/domain"
)

// isPlain reports whether an append to the stream is a single append to the log: neither
// the stream nor, for a metastream, the stream that it describes is deleted.
func (db *DB) isPlain(ctx context.Context, stream string) (bool, error) {
	i, err := db.info(ctx, stream)
	if err != nil || i.tombstoned || i.softDeleted() {
		return false, err
	}
	if !IsMetastream(stream) {
		return true, nil
	}
	original, err := db.info(ctx, OriginalOf(stream))
	return err == nil && !original.softDeleted(), err
}

// appendPlain appends to a stream that is not deleted. The stream's lock is held, shared.
func (db *DB) appendPlain(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) (Appended, error) {
	if expected == domain.AnyRevision || expected == domain.StreamExists {
		return db.appendAny(ctx, stream, expected, events)
	}
	for {
		done, err := db.write(ctx, stream, expected, events...)
		if err == nil {
			db.appended(stream, events, int64(done.Revision), nil)
			return Appended{int64(done.Revision), done.Position}, nil
		}
		if !errors.Is(err, domain.ErrConflict) {
			return Appended{}, err
		}
		result, repeat, err := db.repeated(ctx, stream, expected, events)
		if repeat || err != nil {
			return result, err
		}
		// The stream moved to the expected revision between the two looks: try again.
	}
}

// repeated judges an append at an exact revision that the log refused. It returns the answer of the
// first append if the same events stand at that place, and a conflict if others do. If repeat is
// false, the append may succeed when it is tried again.
func (db *DB) repeated(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) (result Appended, repeat bool, err error) {
	head, found, err := db.last(ctx, stream)
	if err != nil {
		return Appended{}, false, err
	}
	current := NoNumber
	if found {
		current = int64(head.Revision)
	}
	conflict := &domain.ConflictError{Stream: stream, Expected: expected, Actual: domain.Expected(current)}
	switch {
	case int64(expected) == current:
		return Appended{}, false, nil
	case int64(expected) > current || len(events) == 0:
		return Appended{}, true, conflict
	}
	earlier, standing, err := db.compare(ctx, stream, expected, events)
	if err == nil && standing < len(events) {
		err = conflict
	}
	return earlier, true, err
}

// compare counts how many of the events stand in the stream, one after the other, from the
// place where an append at the expected revision would have put them. When all do, it
// returns where the last one is.
func (db *DB) compare(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) (Appended, int, error) {
	n := 0
	for stored, err := range db.log.ReadStream(ctx, stream, uint64(expected+1)) {
		if err != nil || stored.ID != events[n].ID {
			return Appended{}, n, err
		}
		if n++; n == len(events) {
			return Appended{int64(stored.Revision), stored.Position}, n, nil
		}
	}
	return Appended{}, n, nil
}

// appendAny appends at any revision, and recognises a repeat by the events' ids.
func (db *DB) appendAny(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) (Appended, error) {
	for {
		v, number, done := db.ids.reserve(stream, events)
		switch v {
		case inFlight:
			select {
			case <-done:
				continue
			case <-ctx.Done():
				return Appended{}, ctx.Err()
			}
		case allKnown:
			return db.at(ctx, stream, number)
		case mixed:
			current, err := db.current(ctx, stream)
			if err != nil {
				return Appended{}, err
			}
			return Appended{}, &domain.ConflictError{Stream: stream, Expected: expected, Actual: domain.Expected(current)}
		}
		return db.appendReserved(ctx, stream, expected, events, done)
	}
}

// appendReserved appends events whose ids are reserved. It ends the reservation in any case.
func (db *DB) appendReserved(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent, done chan struct{}) (Appended, error) {
	settled := false
	defer func() {
		if !settled {
			db.ids.release(stream, events, done)
		}
	}()
	result, err := db.appendNew(ctx, stream, expected, events)
	if err == nil {
		settled = true
		db.appended(stream, events, result.Number, done)
	}
	return result, err
}

func (db *DB) appendNew(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) (Appended, error) {
	done, err := db.write(ctx, stream, expected, events...)
	if expected == domain.StreamExists && errors.Is(err, domain.ErrConflict) {
		// A stream that has metadata and no events exists, too.
		i, infoErr := db.info(ctx, stream)
		if infoErr != nil {
			return Appended{}, infoErr
		}
		if i.metaRevision == noMetaEvent {
			return Appended{}, err
		}
		done, err = db.write(ctx, stream, domain.NoStream, events...)
		if errors.Is(err, domain.ErrConflict) { // it has events since
			done, err = db.write(ctx, stream, domain.StreamExists, events...)
		}
	}
	return Appended{int64(done.Revision), done.Position}, err
}

// appended notes what an append to the log changed.
func (db *DB) appended(stream string, events []domain.NewEvent, last int64, done chan struct{}) {
	db.ids.settle(stream, events, last, done)
	for i := range events {
		db.infos.observe(stream, events[i].Type)
	}
}
