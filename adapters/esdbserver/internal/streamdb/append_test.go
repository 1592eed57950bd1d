package streamdb_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// The table of expected revisions: each row is an append of the events with these ids to a
// stream in this state, and its answer.
func TestAppendAnswersByTheTableOfExpectedRevisions(t *testing.T) {
	t.Parallel()
	const (
		missing   = "missing"
		three     = "three"     // holds events 1, 2, 3 as numbers 0, 1, 2
		deleted   = "deleted"   // the same, softly deleted
		tombstone = "tombstone" // the same, tombstoned
		described = "described" // has metadata and no events
	)
	const none = int64(-1)
	rows := []struct {
		name, stream string
		expected     domain.Expected
		ids          []byte
		number       int64 // of the answer
		actual       int64 // of a conflict
		err          error
	}{
		{"never existed, any", missing, domain.AnyRevision, []byte{9}, 0, 0, nil},
		{"never existed, no stream", missing, domain.NoStream, []byte{8, 9}, 1, 0, nil},
		{"never existed, exists", missing, domain.StreamExists, []byte{9}, 0, none, domain.ErrConflict},
		{"never existed, exact", missing, 0, []byte{9}, 0, none, domain.ErrConflict},
		{"only metadata, exists", described, domain.StreamExists, []byte{9}, 0, 0, nil},
		{"only metadata, no stream", described, domain.NoStream, []byte{9}, 0, 0, nil},
		{"tombstoned, any", tombstone, domain.AnyRevision, []byte{9}, 0, 0, domain.ErrStreamDeleted},
		{"tombstoned, any, known", tombstone, domain.AnyRevision, []byte{1}, 0, 0, domain.ErrStreamDeleted},
		{"tombstoned, no stream", tombstone, domain.NoStream, []byte{9}, 0, 0, domain.ErrStreamDeleted},
		{"tombstoned, exact", tombstone, 2, []byte{9}, 0, 0, domain.ErrStreamDeleted},
		{"tombstoned, exact at the tombstone", tombstone, 3, []byte{9}, 0, 0, domain.ErrStreamDeleted},
		{"tombstoned, exists", tombstone, domain.StreamExists, []byte{9}, 0, 0, domain.ErrStreamDeleted},
		{"tombstoned, nothing, any", tombstone, domain.AnyRevision, nil, none, 0, nil},
		{"tombstoned, nothing, exact", tombstone, 2, nil, 0, 0, domain.ErrStreamDeleted},
		{"soft-deleted, exists", deleted, domain.StreamExists, []byte{9}, 0, 0, domain.ErrStreamDeleted},
		{"soft-deleted, no stream", deleted, domain.NoStream, []byte{9}, 3, 0, nil},
		{"soft-deleted, no stream, repeated from the start", deleted, domain.NoStream, []byte{1, 2}, 1, 0, nil},
		{"soft-deleted, no stream, partly repeated", deleted, domain.NoStream, []byte{1, 9}, 0, 2, domain.ErrConflict},
		{"soft-deleted, any", deleted, domain.AnyRevision, []byte{9}, 3, 0, nil},
		{"soft-deleted, exact", deleted, 2, []byte{9}, 3, 0, nil},
		{"soft-deleted, exact and too low", deleted, 1, []byte{9}, 0, 2, domain.ErrConflict},
		{"soft-deleted, any, known", deleted, domain.AnyRevision, []byte{2, 3}, 2, 0, nil},
		{"any, all known", three, domain.AnyRevision, []byte{1, 2}, 1, 0, nil},
		{"exists, all known", three, domain.StreamExists, []byte{3}, 2, 0, nil},
		{"any, first unknown", three, domain.AnyRevision, []byte{9, 1}, 4, 0, nil},
		{"any, known then unknown", three, domain.AnyRevision, []byte{3, 9}, 0, 2, domain.ErrConflict},
		{"exact behind the end, repeated", three, 0, []byte{2, 3}, 2, 0, nil},
		{"exact behind the end, repeated in part", three, 0, []byte{2}, 1, 0, nil},
		{"no stream, repeated", three, domain.NoStream, []byte{1}, 0, 0, nil},
		{"exact behind the end, first differs", three, 0, []byte{9}, 0, 2, domain.ErrConflict},
		{"exact behind the end, runs past it", three, 1, []byte{3, 9}, 0, 2, domain.ErrConflict},
		{"no stream on a stream", three, domain.NoStream, []byte{9}, 0, 2, domain.ErrConflict},
		{"exact at the end", three, 2, []byte{9}, 3, 0, nil},
		{"exact at the end, id known", three, 2, []byte{1}, 3, 0, nil},
		{"exact beyond the end", three, 3, []byte{9}, 0, 2, domain.ErrConflict},
		{"nothing, any", three, domain.AnyRevision, nil, 2, 0, nil},
		{"nothing, exact", three, 2, nil, 2, 0, nil},
		{"nothing, exact and wrong", three, 1, nil, 0, 2, domain.ErrConflict},
		{"nothing, no stream", missing, domain.NoStream, nil, none, 0, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			switch row.stream {
			case three, deleted, tombstone:
				d.append(row.stream, domain.NoStream, 1, 2, 3)
			case described:
				d.append("$$described", domain.NoStream, 1)
			}
			switch row.stream {
			case deleted:
				_, err := d.Delete(d.ctx, deleted, domain.AnyRevision)
				require.NoError(t, err)
			case tombstone:
				_, err := d.Tombstone(d.ctx, tombstone, domain.AnyRevision)
				require.NoError(t, err)
			}
			got, err := d.Append(d.ctx, row.stream, row.expected, eventsOf(row.ids...))
			if row.err == nil {
				require.NoError(t, err)
				require.Equal(t, row.number, got.Number)
				return
			}
			require.ErrorIs(t, err, row.err)
			var conflict *domain.ConflictError
			if errors.As(err, &conflict) {
				require.Equal(t, row.actual, int64(conflict.Actual))
			}
		})
	}
}

func TestRepeatedAppendGivesTheOriginalPosition(t *testing.T) {
	t.Parallel()
	d := open(t)
	first := d.append("s", domain.AnyRevision, 1, 2)
	d.append("s", domain.AnyRevision, 3)
	require.Equal(t, first, d.append("s", domain.AnyRevision, 1, 2))
	require.Equal(t, first, d.append("s", domain.NoStream, 1, 2))
}

// blockedLog holds every append to a stream back until it is released.
type blockedLog struct {
	domain.Log
	entered, release chan struct{}
}

func (l *blockedLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	l.entered <- struct{}{}
	<-l.release
	return l.Log.Append(ctx, stream, expected, events...)
}

func TestARepeatWaitsForTheAppendInFlight(t *testing.T) {
	t.Parallel()
	log := &blockedLog{memlog.New(), make(chan struct{}, 10), make(chan struct{})}
	d := openOn(t, log, nil)
	var running sync.WaitGroup
	var errs [2]error
	var answers [2]streamdb.Appended
	for i := range 2 {
		running.Go(func() {
			answers[i], errs[i] = d.Append(d.ctx, "s", domain.AnyRevision, eventsOf(1))
		})
	}
	<-log.entered // one of the two
	close(log.release)
	running.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	require.Equal(t, answers[0], answers[1])
	require.Empty(t, log.entered, "the repeat was appended, too")
	require.Equal(t, []int64{0}, d.numbers("s"))
}

func TestConcurrentAppendsAtOneRevisionHaveOneWinner(t *testing.T) {
	t.Parallel()
	d := open(t)
	var running sync.WaitGroup
	results := make(chan error, 20)
	for id := byte(1); id <= 20; id++ {
		running.Go(func() {
			_, err := d.Append(d.ctx, "s", domain.NoStream, eventsOf(id))
			results <- err
		})
	}
	running.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else {
			require.ErrorIs(t, err, domain.ErrConflict)
		}
	}
	require.Equal(t, 1, won)
}

// forgetfulLog never looks at the ids of events: telling repeats is the database's part.
type forgetfulLog struct{ domain.Log }

func (l forgetfulLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if expected != domain.AnyRevision {
		return l.Log.Append(ctx, stream, expected, events...)
	}
	head := domain.NoStream
	for e, err := range l.ReadStreamBackward(ctx, stream, domain.End) {
		if err != nil {
			return domain.Appended{}, err
		}
		head = domain.Expected(e.Revision)
		break
	}
	return l.Log.Append(ctx, stream, head, events...)
}

func TestRecentIDsTellARepeatWhereTheLogDoesNot(t *testing.T) {
	t.Parallel()
	d := openOn(t, forgetfulLog{memlog.New()}, nil) // remembers 100 ids
	first := d.append("s", domain.AnyRevision, 1, 2)
	require.Equal(t, first, d.append("s", domain.AnyRevision, 1, 2))
	require.EqualValues(t, 0, d.append("s", domain.AnyRevision, 1).Number)
	_, err := d.Append(d.ctx, "s", domain.AnyRevision, eventsOf(2, 3))
	require.ErrorIs(t, err, domain.ErrConflict)
	require.EqualValues(t, 0, d.append("other", domain.AnyRevision, 1).Number, "known in another stream only")
	d.append("t", domain.NoStream, 7)
	require.EqualValues(t, 0, d.append("t", domain.AnyRevision, 7).Number, "appended at a revision, repeated without")
	for id := byte(10); id < 210; id++ {
		d.append("filler", domain.AnyRevision, id)
	}
	require.EqualValues(t, 2, d.append("s", domain.AnyRevision, 1).Number, "pushed out long ago, so it counts as new")
}
