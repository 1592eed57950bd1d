package projectiontest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
)

func statsAddUp(t *testing.T, open Opener) {
	reader, r, log, made, last := projected(t, open, 25, 1500)
	ctx := t.Context()
	for made.Stuck() == 0 {
		a, err := made.Write(ctx, log, 1)
		require.NoError(t, err)
		last = a.Position
	}
	r.reach(t, last, builtin...)
	want := map[string]stats.Counts{}
	var newest time.Time
	for rec, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		f, err := domain.DecodeFact(&rec)
		require.NoError(t, err)
		newest = f.Meta.At
		switch e := f.Event.(type) {
		case *domain.AttemptStarted:
			c := want[e.Action+"/"+string(e.Direction)]
			c.Started++
			if e.Attempt > 1 {
				c.Retried++
			}
			want[e.Action+"/"+string(e.Direction)] = c
		case *domain.RunCompleted:
			c := want["/"]
			c.Succeeded++
			want["/"] = c
		}
	}
	sums, err := reader.Stats(ctx, stats.Filter{})
	require.NoError(t, err)
	got := map[string]stats.Counts{}
	for _, s := range sums {
		k := s.Action + "/" + string(s.Direction)
		c := got[k]
		c.Started += s.Started
		c.Retried += s.Retried
		c.Succeeded += s.Succeeded
		got[k] = c
		require.LessOrEqual(t, s.Latency.Quantile(0.5), s.Latency.Quantile(0.99))
		if s.Succeeded > 0 {
			require.Positive(t, s.Latency.Count)
		}
	}
	for k, c := range want {
		if k == "/" {
			require.Equal(t, c.Succeeded, got[k].Succeeded)
			continue
		}
		require.Equal(t, c.Started, got[k].Started, k)
		require.Equal(t, c.Retried, got[k].Retried, k)
	}
	// The made-up runs take less than an hour: what the minutes and the hours say is what all time
	// says.
	for _, since := range []time.Time{newest.Add(-119 * time.Minute), newest.Add(-24 * time.Hour)} {
		some, err := reader.Stats(ctx, stats.Filter{Since: since})
		require.NoError(t, err)
		require.Equal(t, told(sums), told(some))
	}
	// Over all time, the runs that became stuck or began to wait, less those that go on, are those
	// that the list of runs has.
	stuck, failed := int64(0), int64(0)
	for i := range sums {
		if s := &sums[i]; s.Action == "" {
			stuck, failed = stuck+s.StuckMore, failed+s.RunsFailed()
		}
	}
	now, err := reader.RunCounts(ctx, runs.Filter{})
	require.NoError(t, err)
	require.Positive(t, stuck)
	require.EqualValues(t, now[domain.RunIsStuck], stuck)
	require.EqualValues(t, now[domain.RunIsStuck]+now[domain.RunIsCompensated]+now[domain.RunIsAbandoned], failed)
	require.EqualValues(t, idle(t, log), waiting(sums))
	only, err := reader.Stats(ctx, stats.Filter{Saga: "order", Action: "charge-card"})
	require.NoError(t, err)
	require.NotEmpty(t, only)
	points, err := reader.StatsOver(ctx, stats.Filter{Saga: "order", Since: newest.Add(-time.Hour)})
	require.NoError(t, err)
	require.Greater(t, len(points), len(only))
	for _, p := range points {
		require.Equal(t, time.Minute, p.Width)
	}
}

// waiting sums up the runs that wait.
func waiting(rows []stats.Row) (n int64) {
	for i := range rows {
		n += rows[i].WaitingMore
	}
	return n
}

// idle counts in the log the runs that go on and of which nothing is under way.
func idle(t *testing.T, log domain.Log) (n int) {
	last := map[string]domain.Wake{}
	for rec, err := range log.ReadAll(t.Context(), 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		f, err := domain.DecodeFact(&rec)
		require.NoError(t, err)
		if f.Meta.Wake.State != "" {
			last[rec.Stream] = f.Meta.Wake
		}
	}
	for _, w := range last {
		if !w.State.Ended() && w.State != domain.RunIsStuck && !w.Busy {
			n++
		}
	}
	return n
}

// told returns all that the rows say; how a histogram is kept may differ.
func told(rows []stats.Row) (all []any) {
	for i := range rows {
		r := &rows[i]
		all = append(all, r.Saga, r.Action, r.Direction, r.Counts, r.Latency.Count, r.Latency.Sum, r.Latency.Max, r.Latency.Counts())
	}
	return all
}
