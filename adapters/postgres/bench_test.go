package postgres_test

import (
	"database/sql"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/postgres"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/projectiontest"
	"github.com/atonehq/atone/projections/views"
)

// BenchmarkPageOfMillion asks for pages of 50 among 1,000,000 runs, first pages and those deep
// inside.
func BenchmarkPageOfMillion(b *testing.B) {
	if noCluster != "" {
		b.Skip("PostgreSQL is NOT measured: " + noCluster)
	}
	store, err := postgres.Open(b.Context(), postgres.Config{URL: clusterURL, Schema: "million"})
	require.NoError(b, err)
	many := projectiontest.Many{Runs: 1_000_000}
	took, stop := many.Fill(b, store)
	b.Logf("%d events in %v", many.Last(), took)
	projectiontest.BenchPages(b, views.Of(projections.NewReader(store)), many)
	stop()
	require.NoError(b, store.Close())
}

var manyRuns = flag.Int("runs", 20_000, "how many runs BenchmarkPairs makes up")

// BenchmarkPairs asks for each two conditions in each order, among as many runs as -runs says. It
// also tells how long the rows took to write, and how much space they take.
func BenchmarkPairs(b *testing.B) {
	if noCluster != "" {
		b.Skip("PostgreSQL is NOT measured: " + noCluster)
	}
	store, err := postgres.Open(b.Context(), postgres.Config{URL: clusterURL, Schema: "pairs"})
	require.NoError(b, err)
	many := projectiontest.Many{Runs: *manyRuns}
	took, stop := many.Fill(b, store)
	stop()
	db, err := sql.Open("pgx", clusterURL)
	require.NoError(b, err)
	var size int64
	require.NoError(b, db.QueryRowContext(b.Context(), `SELECT sum(pg_total_relation_size(schemaname||'."'||tablename||'"'))::bigint FROM pg_tables WHERE schemaname = 'pairs'`).Scan(&size))
	require.NoError(b, db.Close())
	b.Logf("%d runs written in %v: %.1f µs a run; %d bytes, %.0f a run", many.Runs, took, float64(took.Microseconds())/float64(many.Runs), size, float64(size)/float64(many.Runs))
	projectiontest.BenchPairs(b, views.Of(projections.NewReader(store)), many)
	require.NoError(b, store.Close())
}
