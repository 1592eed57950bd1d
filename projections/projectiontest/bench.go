package projectiontest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/views"
)

// BenchPages measures each of the queries in each order, for its first page and for one deep
// inside. On a busy machine best-ms tells more than the mean.
func BenchPages(b *testing.B, reader views.Reader, m Many) {
	queries := ManyQueries(m)
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		for _, order := range []struct {
			name      string
			sort      runs.Sort
			ascending bool
		}{{"newest", runs.ByStarted, false}, {"oldest", runs.ByStarted, true}, {"ended", runs.ByEnded, false}, {"wake", runs.ByWake, true}} {
			f := queries[name]
			f.Sort, f.Ascending = order.sort, order.ascending
			benchPage(b, reader, name+"/"+order.name+"/first", f)
			if f.Cursor = deep(b, reader, f); f.Cursor != "" {
				benchPage(b, reader, name+"/"+order.name+"/deep", f)
			}
		}
	}
}

// deep returns the cursor of a page that has up to 5,000 runs before it.
func deep(b *testing.B, reader views.Reader, f runs.Filter) string {
	at := ""
	f.Limit = 1000
	for range 5 {
		page, err := reader.Runs(b.Context(), f)
		require.NoError(b, err)
		if page.Next == "" {
			break
		}
		at, f.Cursor = page.Next, page.Next
	}
	return at
}

func benchPage(b *testing.B, reader views.Reader, name string, f runs.Filter) {
	b.Run(name, func(b *testing.B) {
		found, best, worst := 0, time.Hour, time.Duration(0)
		for b.Loop() {
			began := time.Now()
			page, err := reader.Runs(b.Context(), f)
			require.NoError(b, err)
			took := time.Since(began)
			found, best, worst = len(page.Rows), min(best, took), max(worst, took)
		}
		b.ReportMetric(float64(found), "runs")
		b.ReportMetric(float64(best.Microseconds())/1000, "best-ms")
		b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
		b.ReportMetric(0, "ns/op")
	})
}
