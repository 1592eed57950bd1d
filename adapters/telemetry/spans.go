package telemetry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// spanKey is the context key for the ids of the next span.
type spanKey struct{}

type spanIDs struct {
	trace trace.TraceID
	span  trace.SpanID
}

// ids gives spans the ids in their context, or random ones.
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

// runSpan returns the context of the run's span, and that of its parent if it was started in a
// trace.
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

// spanOf derives a span's id from the parts that identify what it describes.
func spanOf(parts ...string) (id trace.SpanID) {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	copy(id[:], sum[:])
	id[0] |= 1 // an id of zeros is invalid
	return id
}

func attemptSpan(a saga.Attempt, number int) trace.SpanID {
	return spanOf(a.Run.String(), a.Step, string(a.Direction), strconv.Itoa(number))
}

func randomTrace() (id trace.TraceID) {
	_, _ = rand.Read(id[:]) // never fails (crypto/rand since Go 1.24)
	return id
}

func randomSpan() (id trace.SpanID) {
	_, _ = rand.Read(id[:])
	return id
}
