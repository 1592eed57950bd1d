package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
)

// TracingConfig configures [NewTracing].
type TracingConfig struct {
	// Exporter receives the spans; nil means the one that the standard OTEL_ variables select.
	Exporter sdktrace.SpanExporter
	// Service is the service's name if OTEL_SERVICE_NAME is not set; empty means "atone".
	Service string
	// Log is followed for the ends of runs: the span of a run is made at its end. Nil means no
	// spans of runs.
	Log projections.Source
	// Logger receives failures; nil means slog.Default.
	Logger *slog.Logger
}

// Tracing makes one trace for each run, with a span for the run and one for each attempt, and links
// a retry to the attempt before it. A run that was started within a trace (an HTTP request with a
// traceparent) is part of that one.
//
// The ids of spans are derived from the run, step and attempt, so processes that share a run agree
// on them. A nil Tracing is off; its methods may still be called.
type Tracing struct {
	cfg      TracingConfig
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	sampler  sdktrace.Sampler
}

// NewTracing returns tracing as configured, or nil if neither Exporter nor the OTEL_ variables ask
// for it. It makes no connection yet.
//
// The variables ask for tracing if OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT or
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, and OTEL_SDK_DISABLED is not true.
func NewTracing(ctx context.Context, cfg TracingConfig) (*Tracing, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Service == "" {
		cfg.Service = "atone"
	}
	if cfg.Exporter == nil && !wanted() {
		return nil, nil
	}
	sampler, err := samplerOf(os.Getenv("OTEL_TRACES_SAMPLER"), os.Getenv("OTEL_TRACES_SAMPLER_ARG"))
	if err != nil {
		return nil, err
	}
	if cfg.Exporter == nil {
		if cfg.Exporter, err = exporter(ctx); cfg.Exporter == nil {
			return nil, err
		}
	}
	res, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", cfg.Service)), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("OpenTelemetry resource: %w", err)
	}
	t := &Tracing{cfg: cfg, sampler: sampler}
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithBatcher(cfg.Exporter), sdktrace.WithSampler(sampler), sdktrace.WithIDGenerator(ids{}), sdktrace.WithResource(res))
	t.tracer = t.provider.Tracer("github.com/atonehq/atone")
	return t, nil
}

// Provider returns the provider of tracers; nil if tracing is off. Make it the global one
// (otel.SetTracerProvider), so that handlers' own spans join the run's trace.
func (t *Tracing) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

type traceCtxKey struct{}

// AttemptBegan implements [saga.Observer]: it begins the attempt's span. The handler's context
// carries it.
func (t *Tracing) AttemptBegan(ctx context.Context, a saga.Attempt) context.Context {
	if t == nil {
		return ctx
	}
	run, _ := t.runSpan(a.Run, a.Trace)
	opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("atone.run", a.Run.String()), attribute.String("atone.saga", a.Saga), attribute.String("atone.step", a.Step), attribute.String("atone.action", a.Action),
		attribute.String("atone.direction", string(a.Direction)), attribute.Int("atone.attempt", a.Number), attribute.String("atone.idempotency_key", a.Key))}
	if a.Number > 1 {
		before := trace.NewSpanContext(trace.SpanContextConfig{TraceID: run.TraceID(), SpanID: attemptSpan(a, a.Number-1), TraceFlags: run.TraceFlags(), Remote: true})
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: before, Attributes: []attribute.KeyValue{attribute.String("atone.link", "retry of")}}))
	}
	begun := context.WithValue(trace.ContextWithRemoteSpanContext(ctx, run), spanKey{}, spanIDs{run.TraceID(), attemptSpan(a, a.Number)})
	begun, span := t.tracer.Start(begun, string(a.Direction)+" "+a.Action, opts...) //nolint:spancheck // AttemptEnded ends it
	// The ids are for this span only: spans that the handler begins get their own.
	return context.WithValue(context.WithValue(begun, spanKey{}, nil), traceCtxKey{}, span) //nolint:spancheck // AttemptEnded ends it
}

// AttemptEnded implements [saga.Observer].
func (t *Tracing) AttemptEnded(ctx context.Context, _ saga.Attempt, _ time.Duration, failure *domain.Failure) {
	if t == nil {
		return
	}
	span, ok := ctx.Value(traceCtxKey{}).(trace.Span)
	if !ok {
		return
	}
	if failure != nil {
		span.SetAttributes(attribute.String("atone.failure", string(failure.Kind)), attribute.Bool("atone.in_doubt", failure.InDoubt))
		span.SetStatus(codes.Error, failure.Message)
	}
	span.End()
}

// Middleware begins a span for each HTTP request, within the trace that it carries. Health checks
// and scrapes are left out.
func (t *Tracing) Middleware(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return otelhttp.NewHandler(next, "HTTP", otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return "HTTP " + r.Method }),
		otelhttp.WithFilter(func(r *http.Request) bool {
			return r.URL.Path != "/metrics" && !strings.HasPrefix(r.URL.Path, "/health/")
		}))
}
