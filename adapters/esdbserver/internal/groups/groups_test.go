package groups_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// world is a log with a database and a manager over it. It lives in a synctest bubble.
type world struct {
	t   *testing.T
	ctx context.Context
	log domain.Log
	*streamdb.DB
	*groups.Manager
	halt func()
}

func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, memlog.New())
		defer func() { w.halt() }()
		f(w)
	})
}

func begin(t *testing.T, log domain.Log) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{t: t, ctx: ctx, log: log}
	w.DB = streamdb.New(streamdb.Config{Log: log, Now: time.Now, StreamsCached: 100, IDsRemembered: 100, TailEvents: 64, TailBytes: 1 << 20})
	require.NoError(t, w.DB.Open(ctx))
	w.Manager = groups.NewManager(w.DB, time.Now, slog.New(slog.DiscardHandler), func(s groups.FilterSpec) (func(*domain.Recorded) bool, error) {
		return func(e *domain.Recorded) bool { return domain.Filter{Prefixes: s.Prefixes}.Accepts(e.Stream) }, nil
	})
	require.NoError(t, w.Start(ctx))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.halt = func() {
		w.Stop()
		cancel()
		require.NoError(t, <-ended)
	}
	return w
}

// restart ends everything and begins again on the same log.
func (w *world) restart() *world {
	w.halt()
	next := begin(w.t, w.log)
	*w = *next
	return w
}

func settings(change ...func(*groups.Settings)) groups.Settings {
	s := groups.Settings{
		Stream: "s", Group: "g", ConsumerStrategy: groups.RoundRobin, MaxRetryCount: 2, HistoryBufferSize: 50,
		LiveBufferSize: 50, ReadBatchSize: 10, MinCheckPointCount: 1, MaxCheckPointCount: 1000, CheckPointAfter: 1000,
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func (w *world) create(s groups.Settings) *groups.Group {
	w.t.Helper()
	require.NoError(w.t, w.Create(w.ctx, s, "me"))
	return w.group(s.Stream)
}

func (w *world) group(stream string) *groups.Group {
	w.t.Helper()
	g, err := w.Get(stream, "g")
	require.NoError(w.t, err)
	return g
}

// write appends n events to the stream; the first one's id ends in from.
func (w *world) write(stream string, from, n int) {
	w.t.Helper()
	var events []domain.NewEvent
	for i := range n {
		events = append(events, domain.NewEvent{
			ID: uuid.UUID{15: byte(from + i)}, Type: "T", Metadata: fmt.Appendf(nil, `{"$correlationId":"%s-%d"}`, stream, (from+i)%16),
		})
	}
	_, err := w.Append(w.ctx, stream, domain.AnyRevision, events)
	require.NoError(w.t, err)
}

func (w *world) connect(g *groups.Group, size int) *groups.Client {
	w.t.Helper()
	c, err := g.Connect(size, "me", "here", "test", nil)
	require.NoError(w.t, err)
	return c
}

// got returns the ids of what the consumer has been given so far.
func got(c *groups.Client) []int {
	synctest.Wait()
	out := []int{}
	for len(c.Deliveries) > 0 {
		d := <-c.Deliveries
		out = append(out, int(d.Event.Event.ID[15]))
	}
	return out
}

func ids(numbers ...int) []uuid.UUID {
	out := make([]uuid.UUID, len(numbers))
	for i, n := range numbers {
		out[i] = uuid.UUID{15: byte(n)}
	}
	return out
}

func (w *world) parked() []string {
	w.t.Helper()
	synctest.Wait()
	view, err := w.View(w.ctx, "$persistentsubscription-s::g-parked")
	require.NoError(w.t, err)
	out := []string{}
	if view.Exists {
		for e, err := range view.Forward(w.ctx, 0) {
			require.NoError(w.t, err)
			out = append(out, string(e.Data))
		}
	}
	return out
}

func TestConsumerHasNoMoreInFlightThanItAskedFor(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 5)
		c := w.connect(w.create(settings()), 2)
		require.Equal(t, []int{1, 2}, got(c))
		c.Ack(ids(1))
		require.Equal(t, []int{3}, got(c))
		c.Ack(ids(2, 3))
		require.Equal(t, []int{4, 5}, got(c))
	})
}

func TestNackedMessageIsRetriedFirstAndThenParked(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 3)
		c := w.connect(w.create(settings()), 1)
		for range 3 { // the first try and two retries
			require.Equal(t, []int{1}, got(c))
			c.Nack(ids(1), groups.Retry, "no")
		}
		require.Equal(t, []int{2}, got(c))
		c.Nack(ids(2), groups.Park, "no")
		require.Equal(t, []int{3}, got(c))
		c.Nack(ids(3), groups.Skip, "no")
		require.Equal(t, []string{"0@s", "1@s"}, w.parked())
	})
}

func TestMessagesArePackedIntoTheParkedStreamInOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 20)
		c := w.connect(w.create(settings()), 20)
		for _, n := range got(c) {
			c.Nack(ids(n), groups.Park, "")
		}
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprintf("%d@s", i))
		}
		require.Equal(t, want, w.parked())
	})
}

func TestMessageThatTakesTooLongIsGivenToAnother(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.create(settings(func(s *groups.Settings) { s.MessageTimeout = 3000 }))
		other, slow := w.connect(g, 1), w.connect(g, 1)
		w.write("s", 1, 2)
		require.Equal(t, []int{1}, got(other))
		require.Equal(t, []int{2}, got(slow))
		other.Ack(ids(1))
		time.Sleep(5 * time.Second)
		require.Equal(t, []int{2}, got(other))
		slow.Nack(ids(2), groups.Park, "too late: it is with the other")
		require.Empty(t, w.parked())
		slow.Ack(ids(2)) // done is done, though
		w.restart()
		require.Empty(t, got(w.connect(w.group("s"), 10)))
	})
}

func TestLostConsumersMessagesGoToTheNextInOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 6)
		g := w.create(settings())
		first := w.connect(g, 3)
		require.Equal(t, []int{1, 2, 3}, got(first))
		first.Close()
		second := w.connect(g, 10)
		require.Equal(t, []int{1, 2, 3, 4, 5, 6}, got(second))
	})
}

func TestConsumerThatStopsLosesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 2)
		g := w.create(settings())
		c := w.connect(g, 2)
		require.Equal(t, []int{1, 2}, got(c))
		c.Nack(ids(1), groups.Stop, "")
		require.Equal(t, []string{"0@s"}, w.parked())
		c.Close()
		require.Equal(t, []int{2}, got(w.connect(g, 2)))
	})
}

// The original skips a message whose id is in flight already, and so loses it.
func TestEventsWithTheSameIDAreAllDelivered(t *testing.T) {
	inWorld(t, func(w *world) {
		same := domain.NewEvent{ID: uuid.UUID{15: 1}, Type: "T"}
		_, err := w.log.Append(w.ctx, "s", domain.NoStream, same, same)
		require.NoError(t, err)
		w.write("s", 2, 1)
		c := w.connect(w.create(settings()), 10)
		require.Equal(t, []int{1, 2}, got(c))
		c.Ack(ids(1))
		require.Equal(t, []int{1}, got(c))
		c.Ack(ids(1, 2))
		w.restart()
		require.Empty(t, got(w.connect(w.group("s"), 10)))
	})
}

func TestGroupOverAllFiltersAndComesToRest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("noise", 1, 40)
		w.write("wanted", 50, 2)
		g := w.create(settings(func(s *groups.Settings) {
			s.Stream, s.Filter = groups.All, &groups.FilterSpec{Prefixes: []string{"wanted"}, Interval: 4}
		}))
		c := w.connect(g, 10)
		require.Equal(t, []int{50, 51}, got(c))
		c.Ack(ids(50, 51))
		w.write("noise", 60, 40)
		time.Sleep(3 * time.Second)
		end, err := w.EndPosition(w.ctx)
		require.NoError(t, err)
		info, err := g.Info(w.ctx)
		require.NoError(t, err)
		require.NotEmpty(t, info.Checkpointed)
		time.Sleep(time.Minute)
		after, err := w.EndPosition(w.ctx)
		require.NoError(t, err)
		require.LessOrEqual(t, after, end+2, "checkpoints do not beget checkpoints")
	})
}

func TestUnfilteredGroupOverAllComesToRest(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.create(settings(func(s *groups.Settings) { s.Stream = groups.All; s.StartFrom = groups.FromEnd }))
		c := w.connect(g, 10)
		w.write("s", 1, 1)
		synctest.Wait()
		for len(c.Deliveries) > 0 { // the group's own creation, and the event
			d := <-c.Deliveries
			c.Ack([]uuid.UUID{d.Event.Event.ID})
		}
		time.Sleep(3 * time.Second)
		require.Empty(t, got(c))
	})
}

func TestSettingsAreValidated(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, wrong := range []func(*groups.Settings){
			func(s *groups.Settings) { s.Group = "" },
			func(s *groups.Settings) { s.ConsumerStrategy = "Random" },
			func(s *groups.Settings) { s.ReadBatchSize = 50 },
			func(s *groups.Settings) { s.MessageTimeout = -1 },
			func(s *groups.Settings) { s.HistoryBufferSize = 1 << 30 },
			func(s *groups.Settings) { s.StartFrom = -2 },
		} {
			var invalid *groups.InvalidError
			require.ErrorAs(t, w.Create(w.ctx, settings(wrong), "me"), &invalid)
		}
		require.ErrorIs(t, w.Update(w.ctx, settings(), "me"), groups.ErrNotFound)
		require.ErrorIs(t, w.Manager.Delete(w.ctx, "s", "g", "me"), groups.ErrNotFound)
		w.create(settings())
		require.ErrorIs(t, w.Create(w.ctx, settings(), "me"), groups.ErrExists)
	})
}

func TestUpdateDropsConsumersAndKeepsThePlace(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 2)
		c := w.connect(w.create(settings()), 1)
		require.Equal(t, []int{1}, got(c))
		c.Ack(ids(1))
		require.NoError(t, w.Update(w.ctx, settings(func(s *groups.Settings) { s.MaxSubscriberCount = 1 }), "me"))
		<-c.Gone
		g := w.group("s")
		require.Equal(t, []int{2}, got(w.connect(g, 1)))
		_, err := g.Connect(1, "", "", "", nil)
		require.ErrorIs(t, err, groups.ErrMaxSubscribers)
	})
}

func TestDeletedGroupIsForgotten(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 2)
		c := w.connect(w.create(settings()), 10)
		require.Len(t, got(c), 2)
		c.Nack(ids(1), groups.Park, "")
		c.Ack(ids(2))
		require.Len(t, w.parked(), 1)
		require.NoError(t, w.Manager.Delete(w.ctx, "s", "g", "me"))
		require.Empty(t, w.parked())
		require.Equal(t, []int{1, 2}, got(w.connect(w.create(settings()), 10)), "a new group begins anew")
	})
}

// A tombstone is the last event of its stream, for consumers too. What they have in hand goes on.
func TestTombstoneIsTheLastEventOfAGroup(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 1)
		c := w.connect(w.create(settings()), 2)
		first := <-c.Deliveries
		_, err := w.Tombstone(w.ctx, "s", domain.AnyRevision)
		require.NoError(t, err)
		last := <-c.Deliveries
		require.Equal(t, streamdb.TypeTombstone, last.Event.Event.Type)
		require.EqualValues(t, streamdb.Tombstoned, last.Event.Event.Revision)
		c.Ack([]uuid.UUID{first.Event.Event.ID, last.Event.Event.ID})
		select {
		case <-c.Gone:
			require.Fail(t, "the consumer was dropped", "%v", c.Err())
		default:
		}
	})
}
