package telemetry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/adapters/telemetry"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/rejected"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// flaky succeeds at the second attempt; inner is called within it.
func flaky(inner func(context.Context)) *saga.Saga[int, int] {
	a := &saga.Action[int, int]{Name: "flaky", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 3, Initial: time.Millisecond, Max: time.Millisecond, Jitter: saga.JitterNone},
		Do: func(ctx context.Context, n int) (int, error) {
			inner(ctx)
			if saga.AttemptOf(ctx).Number == 1 {
				return 0, errors.New("not yet")
			}
			return n, nil
		}}
	return saga.Define("job", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, a, in.In) })
}

// running runs f until the test, or the function that it returns, ends it.
func running(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	done := false
	stop = func() {
		if !done {
			done = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(stop)
	return stop
}

// noShutdown keeps what was exported over a shutdown.
type noShutdown struct{ *tracetest.InMemoryExporter }

func (noShutdown) Shutdown(context.Context) error { return nil }

func TestARunIsOneTraceWithASpanForEachAttempt(t *testing.T) {
	t.Parallel()
	spans, log := noShutdown{tracetest.NewInMemoryExporter()}, memlog.New()
	ctx := t.Context()
	tr, err := telemetry.NewTracing(ctx, telemetry.TracingConfig{Exporter: spans, Log: log, Logger: quiet})
	require.NoError(t, err)
	c, err := saga.New(saga.Config{Log: log, Logger: quiet, Observer: telemetry.Observers(nil, tr)})
	require.NoError(t, err)
	s := flaky(func(ctx context.Context) {
		_, span := tr.Provider().Tracer("app").Start(ctx, "inner")
		span.End()
	})
	require.NoError(t, c.Register(s))
	stopRuns := running(t, c.Run)
	stop := running(t, tr.Run)
	<-c.Ready()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	run, err := saga.Start(ctx, c, s, 7, saga.TraceParent(parent))
	require.NoError(t, err)
	_, err = run.Wait(ctx)
	require.NoError(t, err)
	alone, err := saga.Start(ctx, c, s, 8)
	require.NoError(t, err)
	_, err = alone.Wait(ctx)
	require.NoError(t, err)
	stopRuns()                          // before the exporter: the attempts' spans have ended
	require.Eventually(t, func() bool { // the follower reads the ends of runs on its own
		tr.Provider().(*sdktrace.TracerProvider).ForceFlush(ctx) //nolint:errcheck // it goes to memory
		n := 0
		for _, s := range spans.GetSpans() {
			if strings.HasPrefix(s.Name, "run ") {
				n++
			}
		}
		return n == 2
	}, time.Minute, time.Millisecond)
	stop()

	of := map[string]tracetest.SpanStubs{}
	for _, s := range spans.GetSpans() {
		of[s.SpanContext.TraceID().String()] = append(of[s.SpanContext.TraceID().String()], s)
	}
	require.Len(t, of, 2, "one trace for each run")
	list := of["0af7651916cd43dd8448eb211c80319c"]
	require.Len(t, list, 5, "the run, two attempts and what they began")
	byName := map[string]tracetest.SpanStubs{}
	for _, s := range list {
		byName[s.Name] = append(byName[s.Name], s)
	}
	runSpan := byName["run job"][0]
	require.Equal(t, "b7ad6b7169203331", runSpan.Parent.SpanID().String())
	attempts := byName["do flaky"]
	require.Len(t, attempts, 2)
	for i, a := range attempts {
		require.Equal(t, runSpan.SpanContext.SpanID(), a.Parent.SpanID(), "attempts are children of the run")
		require.Equal(t, a.SpanContext.SpanID(), byName["inner"][i].Parent.SpanID(), "the handler's own spans are children of the attempt")
	}
	require.Empty(t, attempts[0].Links)
	require.Equal(t, attempts[0].SpanContext.SpanID(), attempts[1].Links[0].SpanContext.SpanID(), "a retry is linked to what it retries")
}

func TestRequestsCarryTheirTraceOn(t *testing.T) {
	t.Parallel()
	spans := noShutdown{tracetest.NewInMemoryExporter()}
	tr, err := telemetry.NewTracing(t.Context(), telemetry.TracingConfig{Exporter: spans, Logger: quiet})
	require.NoError(t, err)
	stop := running(t, tr.Run)
	var inside trace.SpanContext
	h := tr.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside = trace.SpanContextFromContext(r.Context())
		w.WriteHeader(http.StatusTeapot)
	}))
	r := httptest.NewRequest(http.MethodPost, "/sagas/job/runs", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	h.ServeHTTP(httptest.NewRecorder(), r)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil))
	stop()
	require.Len(t, spans.GetSpans(), 1)
	require.Equal(t, "HTTP POST", spans.GetSpans()[0].Name)
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", spans.GetSpans()[0].SpanContext.TraceID().String())
	require.False(t, inside.IsValid(), "a request that is not traced carries no span")
}

// Not parallel: the variables are the process's.
func TestTracingFollowsTheStandardVariables(t *testing.T) {
	variables := []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED",
		"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
	for _, c := range []struct {
		env map[string]string
		on  bool
		err string
	}{
		{env: nil},
		{env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, on: true},
		{env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, on: true},
		{env: map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}},
		{env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}},
		{env: map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, err: "OTEL_TRACES_EXPORTER"},
		{env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, on: true},
		{env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, err: "http/protobuf"},
		{env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "sometimes"}, err: "OTEL_TRACES_SAMPLER"},
		{env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, err: "0 to 1"},
	} {
		for _, name := range variables {
			t.Setenv(name, c.env[name])
		}
		tr, err := telemetry.NewTracing(t.Context(), telemetry.TracingConfig{Logger: quiet})
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.on, tr != nil, "%v", c.env)
		running(t, tr.Run)()
	}
	require.Nil(t, telemetry.Observers(nil, (*telemetry.Tracing)(nil)), "what is off is not called")
}

func TestMetricsTellOfRunsAttemptsLogAndViews(t *testing.T) {
	t.Parallel()
	log, err := pebblelog.Open(t.TempDir(), pebblelog.Config{Logger: quiet})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	m := telemetry.NewMetrics()
	c, err := saga.New(saga.Config{Log: log, Logger: quiet, Observer: telemetry.Observers(m)})
	require.NoError(t, err)
	s := flaky(func(context.Context) {})
	require.NoError(t, c.Register(s))
	store, err := sqlite.Open(sqlite.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	runner, err := runner.New(runner.Config{Source: log, Store: store, Logger: quiet, Linger: -1, Views: views.All()})
	require.NoError(t, err)
	running(t, runner.Run)
	running(t, c.Run)
	<-c.Ready()
	require.NoError(t, m.Watch(telemetry.Sources{Coordinator: c, Projections: runner, Views: views.Of(runner.Reader()), Log: func() telemetry.LogStats {
		st := log.Stats()
		return telemetry.LogStats{Appends: st.Appends, Events: st.Events, Bytes: st.Bytes, SyncWaits: st.SyncWaits[:], SyncBounds: pebblelog.SyncWaitBounds(), SyncWait: st.SyncWait,
			BatchSizes: st.BatchSizes[:], BatchBounds: pebblelog.BatchSizeBounds(), DiskBytes: st.DiskBytes, Failed: st.Failed}
	}}))
	run, err := saga.Start(t.Context(), c, s, 7)
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	require.NoError(t, err)
	for r, err := range log.ReadAllBackward(t.Context(), domain.EndPosition, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		for _, v := range views.All() {
			require.NoError(t, runner.AtLeast(t.Context(), v.Name, r.Position, time.Minute))
		}
		break
	}
	_, err = c.Rejected().Add(t.Context(), &rejected.Event{Event: uuid.New(), Saga: "job", Type: "asked", Error: "no"})
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	m.Handler(quiet).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(rec.Body)
	require.NoError(t, err)
	for _, line := range []string{
		`atone_rejected_events_open{trigger="trigger job asked"} 1`,
		`atone_attempts_total{action="flaky",direction="do",outcome="retryable"} 1`,
		`atone_attempts_total{action="flaky",direction="do",outcome="succeeded"} 1`,
		`atone_attempt_duration_seconds_count{action="flaky",direction="do"} 2`,
		`atone_attempts_running{action="flaky",direction="do"} 0`,
		`atone_runs{state="running"} 0`, `atone_runs{state="stuck"} 0`, `atone_ready 1`,
		`atone_queue_limit{action="flaky"} 1024`, `atone_queue_waiting{action="flaky"} 0`,
		`atone_log_failed 0`, `atone_log_append_seconds_count`, `atone_log_batch_appends_bucket`,
		`atone_projection_lag_events{view="runs"} 0`, `atone_projection_up{view="audit"} 1`,
		`atone_runs_started_total{saga="job"} 1`, `atone_runs_ended_total{end="completed",saga="job"} 1`, `atone_run_duration_seconds_count{saga="job"} 1`,
		`atone_runs_in{state="blocked"} 0`, `atone_runs_in{state="waiting"} 0`, `atone_incidents_open 0`, `atone_action_retries_total{action="flaky",direction="do",saga="job"} 1`,
	} {
		require.Contains(t, string(body), line)
	}
}

// A live stream sets deadlines and flushes; a span around it must not take that away.
func TestATracedStreamCanFlushAndSetDeadlines(t *testing.T) {
	t.Parallel()
	tr, err := telemetry.NewTracing(t.Context(), telemetry.TracingConfig{Exporter: noShutdown{tracetest.NewInMemoryExporter()}, Logger: quiet})
	require.NoError(t, err)
	running(t, tr.Run)
	faults := make(chan error, 3)
	server := httptest.NewServer(tr.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		rc := http.NewResponseController(w)
		faults <- rc.SetWriteDeadline(time.Now().Add(time.Minute))
		faults <- rc.SetReadDeadline(time.Now().Add(time.Minute))
		faults <- rc.Flush()
	})))
	defer server.Close()
	res, err := server.Client().Post(server.URL, "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	for range 3 {
		require.NoError(t, <-faults)
	}
}
