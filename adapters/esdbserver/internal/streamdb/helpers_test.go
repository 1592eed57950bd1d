package streamdb_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// db is a database over a log in memory, for one test.
type db struct {
	*streamdb.DB
	t   *testing.T
	ctx context.Context
	log domain.Log
}

func open(t *testing.T) *db { return openOn(t, memlog.New(), time.Now) }

func openOn(t *testing.T, log domain.Log, now func() time.Time) *db {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	d := &db{streamdb.New(streamdb.Config{
		Log: log, Now: now, StreamsCached: 100, IDsRemembered: 100, TailEvents: 16, TailBytes: 1 << 20,
	}), t, ctx, log}
	require.NoError(t, d.Open(ctx))
	return d
}

// follow runs the database's follower until the test ends.
func (d *db) follow() {
	ctx, cancel := context.WithCancel(d.ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	d.t.Cleanup(func() { cancel(); require.NoError(d.t, <-ended) })
}

func event(id byte) domain.NewEvent {
	return domain.NewEvent{ID: uuid.UUID{15: id}, Type: "Happened", Data: fmt.Appendf(nil, `{"n":%d}`, id)}
}

func eventsOf(ids ...byte) []domain.NewEvent {
	out := make([]domain.NewEvent, len(ids))
	for i, id := range ids {
		out[i] = event(id)
	}
	return out
}

func (d *db) append(stream string, expected domain.Expected, ids ...byte) streamdb.Appended {
	d.t.Helper()
	done, err := d.Append(d.ctx, stream, expected, eventsOf(ids...))
	require.NoError(d.t, err)
	return done
}

// position tells where an event of a stored stream stands in the log.
func (d *db) position(stream string, number uint64) domain.Position {
	d.t.Helper()
	for e, err := range d.log.ReadStream(d.ctx, stream, number) {
		require.NoError(d.t, err)
		return e.Position
	}
	require.Fail(d.t, "no such event", "%d@%s", number, stream)
	return 0
}

// numbers reads the stream forward.
func (d *db) numbers(stream string) []int64 {
	d.t.Helper()
	view, err := d.View(d.ctx, stream)
	require.NoError(d.t, err)
	if !view.Exists {
		return nil
	}
	return numbersOf(d.t, view.Forward(d.ctx, 0))
}

func numbersOf(t *testing.T, events iter.Seq2[domain.Recorded, error]) []int64 {
	t.Helper()
	out := []int64{}
	for e, err := range events {
		require.NoError(t, err)
		out = append(out, int64(e.Revision))
	}
	return out
}
