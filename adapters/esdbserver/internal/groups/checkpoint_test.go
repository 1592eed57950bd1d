package groups_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
	"github.com/atonehq/atone/domain"
)

func TestGroupGoesOnBehindItsCheckpoint(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 5)
		c := w.connect(w.create(settings()), 10)
		require.Len(t, got(c), 5)
		c.Ack(ids(1, 2, 4, 5)) // not the third
		w.restart()
		require.Equal(t, []int{3, 4, 5}, got(w.connect(w.group("s"), 10)), "never beyond the first that is not settled")
	})
}

func TestCheckpointIsWrittenAfterTimeOrCount(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 6)
		g := w.create(settings(func(s *groups.Settings) { s.MinCheckPointCount, s.MaxCheckPointCount, s.CheckPointAfter = 2, 4, 10_000 }))
		c := w.connect(g, 10)
		require.Len(t, got(c), 6)
		checkpoint := func() string {
			synctest.Wait()
			info, err := g.Info(w.ctx)
			require.NoError(t, err)
			return info.Checkpointed
		}
		c.Ack(ids(1, 2, 3))
		require.Empty(t, checkpoint())
		c.Ack(ids(4))
		require.Equal(t, "3", checkpoint(), "the maximum count")
		c.Ack(ids(5, 6))
		require.Equal(t, "3", checkpoint())
		time.Sleep(11 * time.Second)
		require.Equal(t, "5", checkpoint(), "the time, and the minimum count")
	})
}

func TestReplayedMessageStaysParkedUntilItIsSettled(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 3)
		g := w.create(settings())
		c := w.connect(g, 10)
		require.Len(t, got(c), 3)
		c.Nack(ids(1, 2, 3), groups.Park, "")
		require.Len(t, w.parked(), 3)
		require.NoError(t, g.Replay(w.ctx, 2)) // the first two
		require.Equal(t, []int{1, 2}, got(c))
		w.restart() // in the middle
		require.Len(t, w.parked(), 3)
		g = w.group("s")
		c = w.connect(g, 10)
		require.Empty(t, got(c))
		require.NoError(t, g.Replay(w.ctx, -1))
		synctest.Wait()
		var links []uuid.UUID
		for len(c.Deliveries) > 0 {
			d := <-c.Deliveries
			links = append(links, d.Event.Link.ID)
		}
		require.Len(t, links, 3)
		info, err := g.Info(w.ctx)
		require.NoError(t, err)
		require.Zero(t, info.Parked)
		c.Ack(links[:2])
		require.Len(t, w.parked(), 1)
		c.Nack(links[2:], groups.Park, "again")
		require.Equal(t, []string{"2@s"}, w.parked())
	})
}

func TestGroupFromTheEndMissesNothingAfterItsCreation(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 3)
		w.create(settings(func(s *groups.Settings) { s.StartFrom = groups.FromEnd }))
		w.restart()
		w.write("s", 4, 2)
		w.restart()
		require.Equal(t, []int{4, 5}, got(w.connect(w.group("s"), 10)))
	})
}

// A crash leaves no last checkpoint: the group goes on behind the one before.
func TestGroupGoesOnAfterACrash(t *testing.T) {
	inWorld(t, func(w *world) {
		w.write("s", 1, 6)
		c := w.connect(w.create(settings(func(s *groups.Settings) { s.MaxCheckPointCount = 2; s.CheckPointAfter = 60_000 })), 10)
		require.Len(t, got(c), 6)
		c.Ack(ids(1, 2, 3))
		require.Empty(t, got(c))
		crashed := begin(t, w.log) // the first one is still there, and writes nothing
		defer crashed.halt()
		c = crashed.connect(crashed.group("s"), 10)
		require.Equal(t, []int{4, 5, 6}, got(c))
	})
}

// Somebody with the right to write system streams can make a checkpoint unreadable; the server, and
// every other group, must come up all the same.
func TestGroupWithoutAReadableCheckpointBeginsAgain(t *testing.T) {
	for _, garbage := range []string{`not JSON`, `"C:one/P:two"`, `7`} {
		t.Run(garbage, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.write("s", 1, 2)
				w.create(settings())
				_, err := w.Append(w.ctx, "$persistentsubscription-s::g-checkpoint", domain.AnyRevision,
					[]domain.NewEvent{{ID: uuid.New(), Type: "T", Data: []byte(garbage)}})
				require.NoError(t, err)
				w.restart()
				require.Equal(t, []int{1, 2}, got(w.connect(w.group("s"), 2)))
			})
		})
	}
}
