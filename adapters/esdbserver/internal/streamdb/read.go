package streamdb

import (
	"context"
	"iter"
	"time"

	"github.com/atonehq/atone/domain"
)

// View is a stream as a reader finds it at one moment: what of it exists and what of that
// can still be read.
type View struct {
	// Exists is false for a stream that was never written or is softly deleted.
	Exists bool
	// First is the lowest readable number by $tb and $maxCount, Last the newest event's number.
	First, Last int64
	// Since is the moment before which events have expired by $maxAge; zero means never.
	Since time.Time

	stream string
	db     *DB
}

// View looks at the stream. It returns a [*DeletedError] for a tombstoned stream.
func (db *DB) View(ctx context.Context, stream string) (View, error) {
	v := View{stream: stream, db: db, Last: NoNumber}
	if IsVirtual(stream) {
		count, err := db.countVirtual(ctx, stream)
		v.Last, v.Exists = count-1, count > 0
		return v, err
	}
	i, err := db.info(ctx, stream)
	if err != nil {
		return v, err
	}
	gone := i.tombstoned
	if IsMetastream(stream) { // a tombstone hides the stream's metadata, too
		original, err := db.info(ctx, OriginalOf(stream))
		if err != nil {
			return v, err
		}
		gone = gone || original.tombstoned
	}
	if gone {
		return v, &DeletedError{stream}
	}
	if v.Last, err = db.current(ctx, stream); err != nil {
		return v, err
	}
	v.Exists = v.Last != NoNumber && !i.softDeleted()
	if i.meta.TruncateBefore != nil {
		v.First = *i.meta.TruncateBefore
	}
	if i.meta.MaxCount != nil {
		v.First = max(v.First, v.Last-*i.meta.MaxCount+1)
	}
	if i.meta.MaxAge != nil {
		v.Since = db.now().Add(-*i.meta.MaxAge)
	}
	return v, nil
}

// Forward yields the readable events from the number (inclusive) on.
func (v View) Forward(ctx context.Context, from uint64) iter.Seq2[domain.Recorded, error] {
	if IsVirtual(v.stream) {
		return v.db.virtualForward(ctx, v.stream, from)
	}
	return v.readable(v.db.log.ReadStream(ctx, v.stream, max(from, uint64(max(v.First, 0)))))
}

// Backward yields the readable events from the number (inclusive) down; [domain.End] starts at
// the last one.
func (v View) Backward(ctx context.Context, from uint64) iter.Seq2[domain.Recorded, error] {
	if IsVirtual(v.stream) {
		return v.db.virtualBackward(ctx, v.stream, min(from, uint64(max(v.Last, 0))))
	}
	return v.readable(v.db.log.ReadStreamBackward(ctx, v.stream, from))
}

// readable drops what has expired and ends where nothing readable follows.
func (v View) readable(events iter.Seq2[domain.Recorded, error]) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for event, err := range events {
			switch {
			case err != nil:
				yield(event, err)
				return
			case int64(event.Revision) < v.First:
				return // only when reading backward
			case event.Created.Before(v.Since):
				continue
			}
			if !yield(Present(event), nil) {
				return
			}
		}
	}
}

// Metadata returns the stream's metadata.
func (db *DB) Metadata(ctx context.Context, stream string) (Metadata, error) {
	i, err := db.info(ctx, stream)
	if err != nil {
		return Metadata{}, err
	}
	return i.meta, nil
}

// All yields the events of all streams after the position (exclusive), in log order.
func (db *DB) All(ctx context.Context, after domain.Position) iter.Seq2[domain.Recorded, error] {
	return present(db.log.ReadAll(ctx, after, domain.Filter{}))
}

// AllBackward yields the events before the position (exclusive), newest first;
// [domain.EndPosition] starts at the last one.
func (db *DB) AllBackward(ctx context.Context, before domain.Position) iter.Seq2[domain.Recorded, error] {
	return present(db.log.ReadAllBackward(ctx, before, domain.Filter{}))
}

func present(events iter.Seq2[domain.Recorded, error]) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for event, err := range events {
			if !yield(Present(event), err) {
				return
			}
		}
	}
}
