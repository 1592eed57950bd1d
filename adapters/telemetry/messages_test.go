package telemetry_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/telemetry"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/queue"
)

// wire copies messages, so that nothing but bytes passes between processes, and keeps the traces
// that they carry.
type wire struct {
	message.Publisher
	mu     sync.Mutex
	traces map[string]bool
}

func (p *wire) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		n := message.NewMessage(m.UUID, append([]byte(nil), m.Payload...))
		for k, v := range m.Metadata {
			n.Metadata.Set(k, v)
		}
		if strings.HasPrefix(topic, saga.ActionTopic("", "")) {
			p.mu.Lock()
			p.traces[m.Metadata.Get("traceparent")] = true
			p.mu.Unlock()
		}
		if err := p.Publisher.Publish(topic, n); err != nil {
			return err
		}
	}
	return nil
}

// TestTracesGoThroughMessages has the coordinator in one process and the worker in another, each
// with tracing of its own: their spans are still one trace.
func TestTracesGoThroughMessages(t *testing.T) {
	t.Parallel()
	ctx, log := t.Context(), memlog.New()
	broker, err := queue.New(queue.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	between := &wire{Publisher: broker.Publisher(), traces: map[string]bool{}}
	tracing := func(cfg telemetry.TracingConfig) (*telemetry.Tracing, noShutdown) {
		spans := noShutdown{tracetest.NewInMemoryExporter()}
		cfg.Exporter, cfg.Logger = spans, quiet
		tr, err := telemetry.NewTracing(ctx, cfg)
		require.NoError(t, err)
		return tr, spans
	}
	here, runs := tracing(telemetry.TracingConfig{Log: log})
	there, attempts := tracing(telemetry.TracingConfig{})

	s := flaky(func(context.Context) {})
	w, err := saga.NewWorker(saga.WorkerConfig{Sagas: []saga.AnySaga{s}, Publisher: between, Subscriber: broker.Group(""), Observer: there, Logger: quiet})
	require.NoError(t, err)
	c, err := saga.New(saga.Config{Log: log, Logger: quiet, Publisher: between, Subscriber: broker.Group(""), NoWorker: true})
	require.NoError(t, err)
	require.NoError(t, c.Register(s))
	stopHere, stopThere := running(t, here.Run), running(t, there.Run)
	stopWorker := running(t, w.Run)
	running(t, c.Run)
	<-c.Ready()

	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	run, err := saga.Start(ctx, c, s, 7, saga.TraceParent(parent))
	require.NoError(t, err)
	_, err = run.Wait(ctx)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // the follower reads the ends of runs on its own
		here.Provider().(*sdktrace.TracerProvider).ForceFlush(ctx) //nolint:errcheck // it goes to memory
		return len(runs.GetSpans()) == 1
	}, time.Minute, time.Millisecond)
	stopWorker() // before the exporter: the attempts' spans have ended
	stopThere()
	stopHere()

	require.Equal(t, map[string]bool{parent: true}, between.traces, "every message to a worker carries the trace")
	of := runs.GetSpans()[0]
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", of.SpanContext.TraceID().String())
	list := attempts.GetSpans()
	require.Len(t, list, 2)
	for _, a := range list {
		require.Equal(t, of.SpanContext.TraceID(), a.SpanContext.TraceID())
		require.Equal(t, of.SpanContext.SpanID(), a.Parent.SpanID(), "attempts there are children of the run here")
	}
	require.Equal(t, list[0].SpanContext.SpanID(), list[1].Links[0].SpanContext.SpanID(), "a retry is linked to what it retries, whoever ran that")
}
