package saga_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/saga"
)

// BenchmarkEach compares the cost of an item for lists of different lengths, with 100 items under
// way at once and with all of them: ns/item of the longest list stays within 1.5 times that of the
// shortest. Children are child runs that sleep, all of one parent.
func BenchmarkEach(b *testing.B) {
	work := &saga.Action[int, int]{Name: "work", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return n, nil }}
	list := func(name string, width int, body func(*saga.Flow, saga.Ref[int]) saga.Ref[int]) *saga.Saga[int, int] {
		return saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
			saga.Each(f, "item", func(v saga.Scope) []int { return make([]int, in.In(v)) }, body, saga.Concurrency(width))
			return saga.Return(f, in.In)
		})
	}
	works := func(f *saga.Flow, item saga.Ref[int]) saga.Ref[int] { return saga.Do(f, work, item.In) }
	sleeper := saga.Define("sleeper", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		saga.Sleep(f, 100*time.Millisecond)
		return saga.Return(f, in.In)
	})
	sleeps := func(f *saga.Flow, item saga.Ref[int]) saga.Ref[int] { return saga.Child(f, sleeper, item.In) }
	for _, kind := range []struct {
		name string
		saga *saga.Saga[int, int]
		list []int
	}{
		{"width=100", list("each", 100, works), []int{1000, 10_000, 40_000}},
		{"unlimited", list("each-unlimited", saga.Unlimited, works), []int{1000, 10_000, 40_000}},
		{"children", list("each-child", saga.Unlimited, sleeps), []int{1000, 10_000}},
	} {
		for _, n := range kind.list {
			b.Run(fmt.Sprint(kind.name, "/", n), func(b *testing.B) {
				log, err := pebblelog.Open(b.TempDir(), pebblelog.Config{})
				require.NoError(b, err)
				defer log.Close()
				c := begin(b, log, saga.Config{}, kind.saga)
				defer b.StopTimer()
				for b.Loop() {
					run, err := saga.Start(b.Context(), c, kind.saga, n)
					require.NoError(b, err)
					_, err = run.Wait(b.Context())
					require.NoError(b, err)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/item")
			})
		}
	}
}
