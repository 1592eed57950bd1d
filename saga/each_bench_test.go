package saga_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/saga"
)

// BenchmarkEach holds the cost of an item against the length of the list: ns/item of the longest
// list stays within 1.5 times that of the shortest.
func BenchmarkEach(b *testing.B) {
	work := &saga.Action[int, int]{Name: "work", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return n, nil }}
	s := saga.Define("each", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		saga.Each(f, "item", func(v saga.View) []int { return make([]int, in.In(v)) },
			func(f *saga.Flow, item saga.Ref[int]) saga.Ref[int] { return saga.Do(f, work, item.In) }, saga.Concurrency(100))
		return saga.Return(f, in.In)
	})
	for _, n := range []int{1000, 10_000, 40_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			log, err := pebblelog.Open(b.TempDir(), pebblelog.Config{})
			require.NoError(b, err)
			defer log.Close()
			c := begin(b, log, saga.Config{}, s)
			defer b.StopTimer()
			for b.Loop() {
				run, err := saga.Start(b.Context(), c, s, n)
				require.NoError(b, err)
				_, err = run.Wait(b.Context())
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/item")
		})
	}
}
