package pebblelog_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// BenchmarkMark tells what the high-water mark costs: appends of two logs in turns, one with its
// mark and one whose mark rests, by one writer and by 64. The figure to look at is ratio, the
// median over the turns.
//
//	go test -run '^$' -bench Mark -benchtime 20x ./adapters/pebblelog
func BenchmarkMark(b *testing.B) {
	const turn = time.Second
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d-writers", writers), func(b *testing.B) {
			rests := quiet()
			rests.MarkSoon(time.Hour)
			marked, unmarked := open(b, b.TempDir(), quiet()), open(b, b.TempDir(), rests)
			var ratios []float64
			for b.Loop() {
				with := appendsIn(b, marked, writers, turn)
				without := appendsIn(b, unmarked, writers, turn)
				ratios = append(ratios, float64(with)/float64(without))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// appendsIn counts the appends that so many writers get done in the time.
func appendsIn(b *testing.B, l *pebblelog.Log, writers int, d time.Duration) int64 {
	b.Helper()
	var done atomic.Int64
	var wg sync.WaitGroup
	until := time.Now().Add(d)
	for w := range writers {
		wg.Go(func() {
			for time.Now().Before(until) {
				if _, err := l.Append(b.Context(), fmt.Sprintf("s-%d", w), domain.AnyRevision, event(280)); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	require.Positive(b, done.Load())
	return done.Load()
}
