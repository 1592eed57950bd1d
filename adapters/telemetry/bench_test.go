package telemetry_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/atonehq/atone/adapters/telemetry"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// What an observer adds to each attempt. With tracing off and no metrics there is no observer at
// all.
func BenchmarkObservers(b *testing.B) {
	tr, err := telemetry.NewTracing(b.Context(), telemetry.TracingConfig{Exporter: noShutdown{tracetest.NewInMemoryExporter()}, Logger: quiet})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	defer func() { cancel(); require.NoError(b, <-ended) }()
	a := saga.Attempt{Run: domain.NewRunID(), Saga: "signup", Step: "create-user", Action: "create-user", Direction: domain.Do, Number: 1, Key: "k"}
	for name, o := range map[string]saga.Observer{"metrics": telemetry.NewMetrics(), "tracing": tr} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				ctx := o.AttemptBegan(context.Background(), a)
				o.AttemptEnded(ctx, a, time.Millisecond, nil)
			}
		})
	}
}
