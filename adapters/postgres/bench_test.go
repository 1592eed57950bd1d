package postgres_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/postgres"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/projectiontest"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
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
