package draw

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/projections/stats"
)

func TestWhatIsStuckIsToldBackFromNow(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
	point := func(minute int, c stats.Counts) stats.Point {
		return stats.Point{Row: stats.Row{Counts: c}, From: from.Truncate(time.Minute).Add(time.Duration(minute) * time.Minute), Width: time.Minute}
	}
	points := []stats.Point{
		point(1, stats.Counts{StuckMore: 3, Succeeded: 5}),
		point(3, stats.Counts{StuckMore: -1, WaitingMore: 4, Failed: 1}),
		{Row: stats.Row{Action: "charge", Counts: stats.Counts{Succeeded: 100}}, From: from.Truncate(time.Minute), Width: time.Minute},
		point(99, stats.Counts{Succeeded: 100}),
	}
	all := stretches(points, stats.Counts{StuckMore: 7, WaitingMore: 4}, from.Truncate(time.Minute), from.Add(5*time.Minute), time.Minute)
	var stuck, waiting []int64
	for i := range all {
		stuck, waiting = append(stuck, all[i].stuck), append(waiting, all[i].waiting)
	}
	require.Equal(t, []int64{5, 8, 8, 7, 7, 7}, stuck)
	require.Equal(t, []int64{0, 0, 0, 4, 4, 4}, waiting)

	charts := Over(points, stats.Counts{StuckMore: 7, WaitingMore: 4}, from, from.Add(5*time.Minute), time.Minute, "saga:order")
	require.Len(t, charts, 4)
	require.Equal(t, "saga:order ended-since:2026-03-01T12:01:00Z ended-until:2026-03-01T12:02:00Z", charts[0].Columns[1].Search)
	require.Equal(t, "saga:order since:2026-03-01T12:01:00Z until:2026-03-01T12:02:00Z what:run.stuck", charts[3].Columns[1].Search)
	texts := func(labels []Label) (out []string) {
		for _, l := range labels {
			out = append(out, l.Text)
		}
		return out
	}
	require.Equal(t, []string{"0", "2", "4", "6"}, texts(charts[0].Y))
	require.Equal(t, []string{"0", "5", "10", "15"}, texts(charts[3].Y))
	few := Over([]stats.Point{point(1, stats.Counts{Succeeded: 14, Failed: 3})}, stats.Counts{}, from, from.Add(5*time.Minute), time.Minute, "")
	require.Equal(t, []string{"0%", "5%", "10%", "15%", "20%"}, texts(few[1].Y))
	require.Equal(t, []string{"12:00", "12:01", "12:02", "12:03", "12:04", "12:05"}, texts(charts[0].X))
	for _, c := range Over(nil, stats.Counts{}, from, from.Add(7*24*time.Hour), 4*time.Hour, "") {
		require.GreaterOrEqual(t, len(c.Y), 2, c.Title)
		require.LessOrEqual(t, len(c.X), axisTimes, c.Title)
		require.GreaterOrEqual(t, len(c.X), 4, c.Title)
	}
}
