package stats_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/projections/stats"
)

func TestAHistogramTellsQuantiles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ds := rapid.SliceOfN(rapid.Int64Range(-5, int64(48*time.Hour)), 1, 100).Draw(t, "durations")
		var all, left, right stats.Histogram
		for i, d := range ds {
			all.Add(time.Duration(d))
			if i%2 == 0 {
				left.Add(time.Duration(d))
			} else {
				right.Add(time.Duration(d))
			}
			ds[i] = max(d, 0)
		}
		left.Merge(right)
		require.Equal(t, all.Counts(), left.Counts())
		require.Equal(t, []any{all.Count, all.Sum, all.Max}, []any{left.Count, left.Sum, left.Max})
		slices.Sort(ds)
		for _, q := range []float64{0, 0.5, 0.9, 1} {
			exact := ds[max(0, int(float64(len(ds))*q+0.9999999)-1)]
			got := all.Quantile(q)
			require.GreaterOrEqual(t, int64(got), exact-1)
			require.LessOrEqual(t, float64(got), 1.19*float64(exact)+2000)
		}
	})
	require.Zero(t, (&stats.Histogram{}).Quantile(0.5))
	require.Zero(t, (&stats.Histogram{}).Mean())
}
