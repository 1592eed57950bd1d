package sqlite_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
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
			before := projectiontest.Processors(b)
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
			b.ReportMetric((projectiontest.Processors(b)-before).Seconds()*1e6/float64(made.Events)/float64(b.N), "cpu-µs/event")
			b.ReportMetric(0, "ns/op")
		})
	}
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
	took, stop := many.Fill(b, store)
	b.Logf("%d events in %v", many.Last(), took)
	projectiontest.BenchPages(b, views.Of(projections.NewReader(store)), many)
	stop()
	require.NoError(b, store.Close())
}

var (
	manyRuns = flag.Int("runs", 20_000, "how many runs BenchmarkPairs makes up")
	keptIn   = flag.String("views", "", "a directory that BenchmarkPairs keeps its rows in, for the next time")
)

// BenchmarkPairs asks for each two conditions in each order, among as many runs as -runs says. It
// also tells what the rows cost to write, and how much space they take.
func BenchmarkPairs(b *testing.B) {
	dir := *keptIn
	if dir == "" {
		dir = b.TempDir()
	}
	store, err := sqlite.Open(sqlite.Config{Dir: dir})
	require.NoError(b, err)
	many := projectiontest.Many{Runs: *manyRuns}
	write(b, store, many, 0)
	more := projectiontest.Many{From: many.Runs, Runs: 2000}
	write(b, store, more, projectiontest.ManyEvents) // one run at a time
	files, err := filepath.Glob(filepath.Join(dir, "runs.*.db"))
	require.NoError(b, err)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(b, err)
		b.Logf("%s: %d bytes, %.0f a run", filepath.Base(f), info.Size(), float64(info.Size())/float64(many.Runs))
	}
	projectiontest.BenchPairs(b, views.Of(projections.NewReader(store)), many)
	require.NoError(b, store.Close())
}

// write writes the rows of the runs view, and tells what that costs. Meanwhile somebody asks for
// pages.
func write(b *testing.B, store projections.Store, many projectiontest.Many, batch int) {
	b.Helper()
	r, err := runner.New(runner.Config{Source: many, Store: store, Views: []projections.View{runs.View()}, Batch: batch, Linger: -1, Share: 1, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	began, busy := time.Now(), projectiontest.Processors(b)
	go func() { done <- r.Run(ctx) }()
	require.NoError(b, r.AtLeast(ctx, "runs", many.Last(), 60*time.Minute))
	took := time.Since(began)
	b.Logf("%d runs written in %v: %.1f µs a run, %.1f µs of processor time", many.Runs, took, float64(took.Microseconds())/float64(many.Runs), float64((projectiontest.Processors(b)-busy).Microseconds())/float64(many.Runs))
	cancel()
	require.NoError(b, <-done)
}
