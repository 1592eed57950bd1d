package saga_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// inParallel calls f for 0 to n-1 from that many goroutines.
func inParallel(n, width int, f func(int)) {
	var all sync.WaitGroup
	for w := range width {
		all.Go(func() {
			for i := w; i < n; i += width {
				f(i)
			}
		})
	}
	all.Wait()
}

// life runs a coordinator and returns what stops it.
func life(b *testing.B, log domain.Log, cfg saga.Config, s saga.AnySaga) (*saga.Coordinator, func()) {
	cfg.Log, cfg.Logger = log, slog.New(slog.DiscardHandler)
	c, err := saga.New(cfg)
	require.NoError(b, err)
	require.NoError(b, c.Register(s))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()
	return c, func() {
		cancel()
		require.NoError(b, <-ended)
	}
}

// BenchmarkAwaits has 100,000 runs (fewer with -short) with one open await each, and all their
// events emitted in a burst: hot, with all runs in memory, and cold, right after a restart, when
// each is read from its stream. of-bare is the rate against that of the same appends, of the same
// bytes, on an empty log. After a restart, s-to-first is how long the run that was started first
// waits for an event that is emitted once the coordinator takes orders.
func BenchmarkAwaits(b *testing.B) {
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	s := saga.Define("awaits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[int] { return saga.AwaitEvent[int](f, "paid", in.In) })
	for _, cold := range []bool{false, true} {
		b.Run(map[bool]string{false: "hot", true: "cold"}[cold], func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				log, err := pebblelog.Open(b.TempDir(), pebblelog.Config{})
				require.NoError(b, err)
				c, stop := life(b, log, saga.Config{CacheRuns: 2 * n}, s)
				runs := make([]*saga.Run[int], n)
				inParallel(n, 256, func(i int) {
					runs[i], err = saga.Start(b.Context(), c, s, fmt.Sprint(i))
					require.NoError(b, err)
				})
				end := endOfLog(b, log)
				if cold {
					stop()
					began := time.Now()
					c, stop = life(b, log, saga.Config{}, s)
					b.ReportMetric(time.Since(began).Seconds(), "s-to-ready")
					began = time.Now()
					emit(b, c, 0)
					_, err = saga.RunOf[int](c, runs[0].ID).Wait(b.Context())
					require.NoError(b, err)
					b.ReportMetric(time.Since(began).Seconds(), "s-to-first")
				}
				b.StartTimer()
				began := time.Now()
				inParallel(n, 256, func(i int) {
					if !cold || i > 0 {
						emit(b, c, i)
					}
				})
				emitted := time.Since(began)
				for c.UnfinishedRuns() > 0 {
					time.Sleep(time.Millisecond)
				}
				took := time.Since(began)
				b.StopTimer()
				stop()
				bare := bareAppends(b, log, end)
				require.NoError(b, log.Close())
				b.ReportMetric(emitted.Seconds(), "s-to-emit")
				b.ReportMetric(float64(n)/took.Seconds(), "runs/s")
				b.ReportMetric(bare.Seconds()/took.Seconds(), "of-bare")
				b.StartTimer()
			}
		})
	}
}

func emit(b *testing.B, c *saga.Coordinator, i int) {
	_, err := c.EmitEvent(b.Context(), "payments", "paid", []byte("1"), saga.EmitOptions{Correlation: fmt.Sprint(i)})
	require.NoError(b, err)
}

func endOfLog(b *testing.B, log domain.Log) domain.Position {
	for e, err := range log.ReadAllBackward(b.Context(), domain.EndPosition, domain.Filter{}) {
		require.NoError(b, err)
		return e.Position
	}
	return 0
}

// bareAppends repeats all appends of events and runs after a position on an empty log and returns
// how long they take.
func bareAppends(b *testing.B, log domain.Log, after domain.Position) time.Duration {
	type one struct {
		stream string
		events []domain.NewEvent
	}
	var all []one
	streams := map[string]int{}
	for e, err := range log.ReadAll(b.Context(), after, domain.Filter{Prefixes: []string{domain.RunPrefix, "payments"}}) {
		require.NoError(b, err)
		if i, known := streams[e.Stream]; known && e.Stream != "payments" {
			all[i].events = append(all[i].events, e.NewEvent)
			continue
		}
		streams[e.Stream] = len(all)
		all = append(all, one{e.Stream, []domain.NewEvent{e.NewEvent}})
	}
	empty, err := pebblelog.Open(b.TempDir(), pebblelog.Config{})
	require.NoError(b, err)
	defer empty.Close()
	began := time.Now()
	inParallel(len(all), 256, func(i int) {
		for k := range all[i].events {
			if all[i].events[k].ID == uuid.Nil {
				b.Error("an event without id")
			}
		}
		_, err := empty.Append(b.Context(), all[i].stream, domain.AnyRevision, all[i].events...)
		require.NoError(b, err)
	})
	return time.Since(began)
}
