package eventstoredb_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// coordinate runs a coordinator on a server that is 2 ms away, until the benchmark ends.
func coordinate(b *testing.B, defs ...saga.AnySaga) (*saga.Coordinator, *sampled) {
	log, err := eventstoredb.Open(eventstoredb.Config{Connection: startSlow(b), Logger: silent})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, log.Close()) })
	s := &sampled{Log: log}
	c, err := saga.New(saga.Config{Log: s, Node: "bench", Shared: true, Logger: silent})
	require.NoError(b, err)
	require.NoError(b, c.Register(defs...))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()
	b.Cleanup(func() { cancel(); require.NoError(b, <-ended) })
	return c, s
}

// BenchmarkOneCaller measures runs of three steps, one after the other, against the same appends
// one after the other, by the median of each; the two take turns. Run it with -benchtime of a
// number of runs: 300x.
func BenchmarkOneCaller(b *testing.B) {
	def := three()
	c, s := coordinate(b, def)
	ctx := context.Background()
	run := func() {
		r, err := saga.Start(ctx, c, def, job{N: 1, ID: "an order of some length, so that it is like others"})
		require.NoError(b, err)
		_, err = r.Wait(ctx)
		require.NoError(b, err)
	}
	for range 20 {
		run()
	}
	s.wanted.Store(true)
	run()
	s.mu.Lock()
	sample := s.sample
	s.mu.Unlock()
	var runs, appends []time.Duration
	b.ResetTimer()
	for range b.N {
		began := time.Now()
		run()
		runs = append(runs, time.Since(began))
		began = time.Now()
		require.NoError(b, repeatAppends(ctx, s.Log, sample))
		appends = append(appends, time.Since(began))
	}
	b.StopTimer()
	slices.Sort(runs)
	slices.Sort(appends)
	b.ReportMetric(runs[b.N/2].Seconds()*1000, "ms/run")
	b.ReportMetric(appends[b.N/2].Seconds()*1000, "ms/appends")
	b.ReportMetric(runs[b.N/2].Seconds()/appends[b.N/2].Seconds(), "ratio")
	b.ReportMetric(float64(len(sample)), "appends/run")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFanOut measures runs of a hundred parallel steps, by one caller and by 8. Run it with
// -benchtime of a number of runs: 300x.
func BenchmarkFanOut(b *testing.B) {
	const steps = 100
	touch := &saga.Action[int, int]{Name: "touch", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return n, nil }}
	def := saga.Define("fan-out", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		branches := make([]func(*saga.Flow), steps)
		for i := range branches {
			branches[i] = func(f *saga.Flow) { saga.Do(f, touch, in.In, saga.Name(fmt.Sprintf("touch-%d", i))) }
		}
		saga.Parallel(f, branches...)
		return saga.Compute(f, "sum", in.In)
	})
	c, _ := coordinate(b, def)
	ctx := context.Background()
	one := func() error {
		r, err := saga.Start(ctx, c, def, 1)
		if err == nil {
			_, err = r.Wait(ctx)
		}
		return err
	}
	for range 10 {
		require.NoError(b, one())
	}
	for _, callers := range []int{1, 8} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			before, began := c.Stats().Appends.Load(), time.Now()
			share(b, callers, b.N, one)
			b.ReportMetric(float64(b.N*steps)/time.Since(began).Seconds(), "steps/s")
			b.ReportMetric(float64(c.Stats().Appends.Load()-before)/float64(b.N), "appends/run")
		})
	}
}

// repeatAppends does the appends of a sampled run to a stream that is new.
func repeatAppends(ctx context.Context, log domain.Log, sample [][]domain.NewEvent) error {
	stream, expected := domain.RunStream(domain.NewRunID()), domain.NoStream
	for _, batch := range sample {
		at, err := log.Append(ctx, stream, expected, withNewIDs(batch)...)
		if err != nil {
			return err
		}
		expected = domain.Expected(at.Revision)
	}
	return nil
}
