package telemetry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
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
	// Exporter receives the spans; nil means by the standard OTEL_ variables.
	Exporter sdktrace.SpanExporter
	// Getenv reads the OTEL_ variables that say whether and how to trace: os.Getenv, or a test's own. Required
	// where Exporter is nil.
	Getenv func(string) string
	// Service is the service's name where OTEL_SERVICE_NAME does not say; empty means "atone".
	Service string
	// Log is followed for the ends of runs, from which their spans are made; nil leaves those out.
	Log projections.Source
	// Logger is told what goes wrong; nil means slog.Default.
	Logger *slog.Logger
}

// Tracing makes one trace for each run, with a span for the run and one for each attempt, and links a
// retry to the attempt before it. A run that was started within a trace (an HTTP request with a
// traceparent) is part of that one.
//
// The ids of spans are functions of what they stand for: processes that share a run agree
// on them without a word. A nil Tracing is one that is off; all methods may be called on it.
type Tracing struct {
	cfg      TracingConfig
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	sampler  sdktrace.Sampler
}

// NewTracing returns tracing as configured, or nil where the OTEL_ variables do not ask for it. It
// connects to nothing yet.
//
// Tracing is on where OTEL_TRACES_EXPORTER is otlp, or OTEL_EXPORTER_OTLP_ENDPOINT (or its
// TRACES form) is set, and OTEL_SDK_DISABLED is not true. The exporter speaks OTLP over HTTP.
func NewTracing(ctx context.Context, cfg TracingConfig) (*Tracing, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	if cfg.Service == "" {
		cfg.Service = "atone"
	}
	if cfg.Exporter == nil {
		on, err := wanted(cfg.Getenv)
		if err != nil || !on {
			return nil, err
		}
		if cfg.Exporter, err = otlptracehttp.New(ctx); err != nil {
			return nil, fmt.Errorf("OpenTelemetry exporter: %w", err)
		}
	}
	sampler, err := samplerOf(cfg.Getenv)
	if err != nil {
		return nil, err
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

// Provider returns the provider of tracers, to be made the global one (otel.SetTracerProvider) so that handlers'
// own spans join the run's trace; nil where tracing is off.
func (t *Tracing) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// wanted reads whether tracing is asked for.
func wanted(getenv func(string) string) (bool, error) {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	endpoint := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != ""
	switch exporter := getenv("OTEL_TRACES_EXPORTER"); exporter {
	case "none":
		return false, nil
	case "":
		if !endpoint {
			return false, nil
		}
	case "otlp":
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: use otlp or none", exporter)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := getenv(name); p != "" {
			if p != "http/protobuf" {
				return false, fmt.Errorf("%s is %q: only http/protobuf is spoken; collectors take it on port 4318", name, p)
			}
			break
		}
	}
	return true, nil
}

// samplerOf reads the sampler. It is read here, not by the SDK, because the attempts of a run
// must be judged like the run, whose span is only made at its end.
func samplerOf(getenv func(string) string) (sdktrace.Sampler, error) {
	name, ratio := getenv("OTEL_TRACES_SAMPLER"), 1.0
	if arg := getenv("OTEL_TRACES_SAMPLER_ARG"); strings.HasSuffix(name, "traceidratio") && arg != "" {
		var err error
		if ratio, err = strconv.ParseFloat(arg, 64); err != nil || !(ratio >= 0 && ratio <= 1) { // NaN is neither
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q: use a number from 0 to 1", arg)
		}
	}
	switch name {
	case "", "parentbased_always_on":
		return sdktrace.ParentBased(sdktrace.AlwaysSample()), nil
	case "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		return sdktrace.TraceIDRatioBased(ratio), nil
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample()), nil
	case "parentbased_traceidratio":
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)), nil
	}
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER is %q: use always_on, always_off, traceidratio or their parentbased_ forms", name)
}

// spanKey makes the ids of the span that is begun with a context.
type spanKey struct{}

type spanIDs struct {
	trace trace.TraceID
	span  trace.SpanID
}

// ids gives spans the ids that their context asks for, and random ones otherwise.
type ids struct{}

// NewIDs implements sdktrace.IDGenerator.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if want, ok := ctx.Value(spanKey{}).(spanIDs); ok {
		return want.trace, want.span
	}
	return randomTrace(), randomSpan()
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(ctx context.Context, of trace.TraceID) trace.SpanID {
	if want, ok := ctx.Value(spanKey{}).(spanIDs); ok && want.trace == of {
		return want.span
	}
	return randomSpan()
}

// runSpan returns the context of the run's span, and that of its parent where it was started in a trace.
func (t *Tracing) runSpan(run domain.RunID, traceparent string) (self, parent trace.SpanContext) {
	parent = parse(traceparent)
	c := trace.SpanContextConfig{SpanID: spanOf(run.String(), "run")}
	if parent.IsValid() {
		c.TraceID, c.TraceFlags, c.TraceState = parent.TraceID(), parent.TraceFlags(), parent.TraceState()
		return trace.NewSpanContext(c), parent
	}
	sum := sha256.Sum256([]byte("trace " + run.String()))
	copy(c.TraceID[:], sum[:])
	d := t.sampler.ShouldSample(sdktrace.SamplingParameters{ParentContext: context.Background(), TraceID: c.TraceID, Name: "run", Kind: trace.SpanKindInternal})
	if d.Decision == sdktrace.RecordAndSample {
		c.TraceFlags = trace.FlagsSampled
	}
	return trace.NewSpanContext(c), parent
}

func parse(traceparent string) trace.SpanContext {
	if traceparent == "" {
		return trace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	return trace.SpanContextFromContext(ctx)
}

// spanOf derives a span's id from what it stands for.
func spanOf(parts ...string) (id trace.SpanID) {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	copy(id[:], sum[:])
	id[0] |= 1 // an id of zeros is invalid
	return id
}

func attemptSpan(a saga.Attempt, number int) trace.SpanID {
	return spanOf(a.Run.String(), a.Step, string(a.Direction), strconv.Itoa(number))
}

type traceCtxKey struct{}

// AttemptBegan implements [saga.Observer]: it begins the attempt's span. The handler's context carries it.
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
	begun, span := t.tracer.Start(begun, string(a.Direction)+" "+a.Action, opts...)
	// The ids were for this span alone: spans that the handler begins get their own.
	return context.WithValue(context.WithValue(begun, spanKey{}, nil), traceCtxKey{}, span)
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

// Middleware begins a span for each HTTP request, within the trace that it carries. Health checks and
// scrapes are left out.
func (t *Tracing) Middleware(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" || strings.HasPrefix(r.URL.Path, "/health/") {
			next.ServeHTTP(w, r)
			return
		}
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, "HTTP "+r.Method, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.Path)))
		defer span.End()
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r.WithContext(ctx))
		span.SetAttributes(attribute.Int("http.response.status_code", rec.status))
		if rec.status >= 500 {
			span.SetStatus(codes.Error, http.StatusText(rec.status))
		}
	})
}

// statusRecorder notes the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer below, for streams and deadlines.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
