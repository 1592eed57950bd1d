package pebblelog_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// TestAnAppendOfManyTinyEventsIsHeldOnce has consumers that stop at the first event of such an
// append, live ones and ones that read it from the store. Each used to hold 14 MB of its own.
func TestAnAppendOfManyTinyEventsIsHeldOnce(t *testing.T) {
	for name, tail := range map[string]int{"live": 0, "from the store": 1} {
		t.Run(name, func(t *testing.T) {
			cfg := quiet()
			cfg.TailBytes = tail
			l := open(t, t.TempDir(), cfg)
			const consumers, n = 40, 100_000
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var waiting, reached, all sync.WaitGroup
			more := make(chan struct{})
			waiting.Add(consumers)
			reached.Add(consumers)
			seen := make([]int, consumers)
			for i := range consumers {
				all.Go(func() {
					for d, err := range l.Subscribe(ctx, 0, domain.Filter{Prefixes: []string{"s"}}) {
						if err != nil {
							return
						}
						if d.CaughtUp && seen[i] == 0 {
							waiting.Done()
						}
						if d.Event == nil {
							continue
						}
						if seen[i]++; seen[i] == 1 {
							reached.Done()
							<-more
						}
						if seen[i] == n {
							return
						}
					}
				})
			}
			waiting.Wait()
			events := make([]domain.NewEvent, n)
			for i := range events {
				events[i] = domain.NewEvent{ID: uuid.New(), Type: "t", Data: []byte("1")}
			}
			before := heap()
			_, err := l.Append(ctx, "s", domain.NoStream, events...)
			require.NoError(t, err)
			reached.Wait()
			grown := int64(heap()) - int64(before)
			t.Logf("%d consumers hold %d MB", consumers, grown>>20)
			require.Less(t, grown, int64(100<<20))
			close(more)
			all.Wait()
			for i := range seen {
				require.Equal(t, n, seen[i])
			}
			runtime.KeepAlive(events)
		})
	}
}

// heap returns how much memory is held.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestLargeRecordsAreReadAnew reads a large record again and again while nobody holds it.
func TestLargeRecordsAreReadAnew(t *testing.T) {
	t.Parallel()
	cfg := quiet()
	cfg.TailBytes = 1
	l := open(t, t.TempDir(), cfg)
	events := eventsOf(2_000, 1)
	_, err := l.Append(t.Context(), "s", domain.NoStream, events...)
	require.NoError(t, err)
	for range 3 {
		n := 0
		for e, err := range l.ReadStream(t.Context(), "s", 0) {
			require.NoError(t, err)
			require.Equal(t, events[n].ID, e.ID)
			n++
		}
		require.Equal(t, len(events), n)
		runtime.GC()
	}
}
