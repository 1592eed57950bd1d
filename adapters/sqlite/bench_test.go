package sqlite_test

import (
	"context"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/projectiontest"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
	"github.com/atonehq/atone/projections/views"
)

// BenchmarkRebuild builds views from a log in memory. One operation is one event; the figure to
// look at is events/s.
func BenchmarkRebuild(b *testing.B) {
	const appends = 150_000
	log, made := memlog.New(), projectiontest.NewRuns(1)
	last, err := made.Write(b.Context(), log, appends)
	require.NoError(b, err)
	for name, list := range map[string][]projections.View{
		"all": views.All(), "runs": {runs.View()}, "audit": {audit.View()}, "stats": {stats.View()}, "incidents": {incidents.View()},
	} {
		b.Run(name, func(b *testing.B) {
			before := cpu(b)
			for b.Loop() {
				store, err := sqlite.Open(sqlite.Config{Dir: b.TempDir()})
				require.NoError(b, err)
				r, err := runner.New(runner.Config{Source: log, Store: store, Views: list, Logger: slog.New(slog.DiscardHandler)})
				require.NoError(b, err)
				ctx, cancel := context.WithCancel(b.Context())
				done := make(chan error, 1)
				go func() { done <- r.Run(ctx) }()
				for _, v := range list {
					require.NoError(b, r.AtLeast(ctx, v.Name, last.Position, time.Minute))
				}
				cancel()
				require.NoError(b, <-done)
				require.NoError(b, store.Close())
			}
			b.ReportMetric(float64(made.Events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric((cpu(b)-before).Seconds()*1e6/float64(made.Events)/float64(b.N), "cpu-µs/event")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// cpu is the processor time that this process has used: on a busy machine it tells more than the
// clock.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFailuresOfNone asks the audit of runs that all went well for failures.
func BenchmarkFailuresOfNone(b *testing.B) {
	store, err := sqlite.Open(sqlite.Config{Dir: b.TempDir()})
	require.NoError(b, err)
	many := projectiontest.Many{Runs: 200_000, Well: true}
	r, err := runner.New(runner.Config{Source: many, Store: store, Views: []projections.View{audit.View()}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	require.NoError(b, r.AtLeast(ctx, "audit", many.Last(), 30*time.Minute))
	reader := views.Of(projections.NewReader(store))
	for b.Loop() {
		page, err := reader.Audit(b.Context(), audit.Filter{HasError: true})
		require.NoError(b, err)
		require.Empty(b, page.Rows)
	}
	cancel()
	require.NoError(b, <-done)
	require.NoError(b, store.Close())
}

// BenchmarkPageOfMillion asks for pages of 50 among 1,000,000 runs, first pages and those deep
// inside.
func BenchmarkPageOfMillion(b *testing.B) {
	store, err := sqlite.Open(sqlite.Config{Dir: b.TempDir()})
	require.NoError(b, err)
	many := projectiontest.Many{Runs: 1_000_000}
	r, err := runner.New(runner.Config{Source: many, Store: store, Views: []projections.View{runs.View()}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	began := time.Now()
	require.NoError(b, r.AtLeast(ctx, "runs", many.Last(), 30*time.Minute))
	b.Logf("%d events in %v", many.Last(), time.Since(began))
	projectiontest.BenchPages(b, views.Of(projections.NewReader(store)), many)
	cancel()
	require.NoError(b, <-done)
	require.NoError(b, store.Close())
}
