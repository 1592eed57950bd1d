package streamdb

import (
	"context"
	"errors"

	"github.com/atonehq/atone/domain"
)

// Place is where in the log a reading of all streams begins: between two records.
type Place struct {
	// After is the position of the record before it, 0 at the beginning.
	After domain.Position
	// SkipTo is where the reading begins to yield. It is past After only for a place that the log
	// has not reached yet: everything up to it is then skipped.
	SkipTo domain.Position
	// At reports whether a record stands at the position that was asked for.
	At bool
	// First reports whether the position that was asked for is before the first record's.
	First bool
	// Live reports whether the end was asked for, so that there is nothing to catch up with.
	Live bool
	// Beyond reports whether that position is past the log's end.
	Beyond bool
}

// Locate finds a position that a client gives. 0 and positions past the end are allowed; any other
// at which no record stands is refused with [domain.ErrBadPosition].
func (db *DB) Locate(ctx context.Context, position domain.Position) (Place, error) {
	if position == 0 {
		return Place{}, nil
	}
	end, err := db.EndPosition(ctx)
	if err != nil {
		return Place{}, err
	}
	if position > end {
		return Place{After: end, SkipTo: position, Beyond: true}, nil
	}
	before, err := db.before(ctx, position)
	if errors.Is(err, domain.ErrBadPosition) {
		first, _ := db.first(ctx)
		return Place{First: position < first}, err
	}
	if err != nil {
		return Place{}, err
	}
	for event, err := range db.log.ReadAll(ctx, before, domain.Filter{}) {
		if err != nil {
			return Place{}, err
		}
		if event.Position != position {
			return Place{First: before == 0 && event.Position > position}, domain.ErrBadPosition
		}
		return Place{After: before, At: true}, nil
	}
	return Place{}, domain.ErrBadPosition
}

// first returns the position of the log's first record.
func (db *DB) first(ctx context.Context) (domain.Position, error) {
	for event, err := range db.log.ReadAll(ctx, 0, domain.Filter{}) {
		return event.Position, err
	}
	return 0, nil
}

// before returns the position of the record before the position, 0 if there is none.
func (db *DB) before(ctx context.Context, position domain.Position) (domain.Position, error) {
	for event, err := range db.log.ReadAllBackward(ctx, position, domain.Filter{}) {
		return event.Position, err
	}
	return 0, nil
}
