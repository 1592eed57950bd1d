package projectiontest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/projections"
)

// BenchPages measures each of the queries, for its first page and its twentieth.
func BenchPages(b *testing.B, reader *projections.Reader, m Many) {
	queries := ManyQueries(m)
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		f := queries[name]
		deep := f
		for range 19 {
			page, err := reader.Runs(b.Context(), deep)
			require.NoError(b, err)
			if page.Next == "" {
				break
			}
			deep.Cursor = page.Next
		}
		for which, f := range map[string]projections.RunFilter{"first": f, "deep": deep} {
			b.Run(name+"/"+which, func(b *testing.B) {
				found, worst := 0, time.Duration(0)
				for b.Loop() {
					began := time.Now()
					page, err := reader.Runs(b.Context(), f)
					require.NoError(b, err)
					found, worst = len(page.Runs), max(worst, time.Since(began))
				}
				b.ReportMetric(float64(found), "runs")
				b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
			})
		}
	}
}
