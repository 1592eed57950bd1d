package groups_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
	"github.com/atonehq/atone/domain"
)

func strategy(name string) func(*groups.Settings) {
	return func(s *groups.Settings) { s.ConsumerStrategy = name }
}

func TestRoundRobinTakesTurnsAndPassesOverTheBusy(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.create(settings())
		a, b := w.connect(g, 1), w.connect(g, 10)
		w.write("s", 1, 5)
		require.Equal(t, []int{1}, got(a))
		require.Equal(t, []int{2, 3, 4, 5}, got(b))
		a.Ack(ids(1))
		b.Ack(ids(2, 3, 4, 5))
		w.write("s", 6, 2)
		require.Len(t, got(a), 1)
		require.Len(t, got(b), 1)
	})
}

func TestDispatchToSingleFillsOneBeforeTheNext(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.create(settings(strategy(groups.DispatchToSingle)))
		a, b := w.connect(g, 3), w.connect(g, 3)
		w.write("s", 1, 2)
		require.Equal(t, []int{1, 2}, got(a))
		a.Ack(ids(1, 2))
		w.write("s", 3, 4)
		require.Equal(t, []int{3, 4, 5}, got(a))
		require.Equal(t, []int{6}, got(b))
	})
}

// owners drains the consumers and returns which one had each key; no key may be with two.
func owners(t *testing.T, key func(*domain.Recorded) string, clients ...*groups.Client) map[string]int {
	t.Helper()
	synctest.Wait()
	out := map[string]int{}
	for i, c := range clients {
		for len(c.Deliveries) > 0 {
			d := <-c.Deliveries
			k := key(d.Event.Event)
			if before, ok := out[k]; ok {
				require.Equal(t, before, i, "key %s is with two consumers", k)
			}
			out[k] = i
			c.Ack([]uuid.UUID{d.Event.Original().ID})
		}
	}
	return out
}

func TestPinnedKeepsAStreamWithOneConsumer(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.create(settings(strategy(groups.Pinned), func(s *groups.Settings) {
			s.Stream, s.Filter = groups.All, &groups.FilterSpec{Prefixes: []string{"s-"}, Interval: 32}
		}))
		a, b := w.connect(g, 100), w.connect(g, 100)
		n := 1
		for range 3 {
			for s := range 12 {
				w.write("s-"+string(rune('a'+s)), n, 1)
				n++
			}
		}
		byStream := func(e *domain.Recorded) string { return e.Stream }
		first := owners(t, byStream, a, b)
		require.Len(t, first, 12)
		spread := map[int]bool{}
		for _, owner := range first {
			spread[owner] = true
		}
		require.Len(t, spread, 2, "both have some")
		b.Close()
		for s := range 12 {
			w.write("s-"+string(rune('a'+s)), 100+s, 1)
		}
		require.Len(t, owners(t, byStream, a), 12, "who is left takes over")
	})
}

func TestPinnedByCorrelationKeepsACorrelationWithOneConsumer(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.create(settings(strategy(groups.PinnedByCorrelation)))
		a, b := w.connect(g, 100), w.connect(g, 100)
		w.write("s", 1, 40) // sixteen correlations in turn
		byCorrelation := func(e *domain.Recorded) string { return string(e.Metadata) }
		require.Len(t, owners(t, byCorrelation, a, b), 16)
	})
}

func TestPinnedBusyConsumerDoesNotHoldTheOthersUp(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.create(settings(strategy(groups.PinnedByCorrelation)))
		w.write("s", 1, 40)
		a, b := w.connect(g, 1), w.connect(g, 100)
		synctest.Wait()
		require.Len(t, a.Deliveries, 1, "a is full")
		rest := len(got(b))
		require.Positive(t, rest)
		// Whatever order they are settled in, a crash loses nothing of what a's keys wait for.
		w.restart()
		c := w.connect(w.group("s"), 100)
		require.Len(t, got(c), 40)
	})
}
