package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/atonehq/atone/domain"
)

// flushTimeout is how long Run, once cancelled, waits for the exporter to accept the last spans.
const flushTimeout = 5 * time.Second

// Run makes the span of each run that ends, until ctx ends. Then it passes the last spans to the
// exporter and returns nil. A run that ends while no process calls Run gets no span of its own; its
// attempts still have spans.
func (t *Tracing) Run(ctx context.Context) error {
	if t == nil {
		<-ctx.Done()
		return nil
	}
	err := t.follow(ctx)
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if e := t.provider.Shutdown(flush); e != nil {
		t.cfg.Logger.Warn("the last spans were not exported", "error", e)
	}
	return err
}

// follow waits for the ends of runs.
func (t *Tracing) follow(ctx context.Context) error {
	if t.cfg.Log == nil {
		<-ctx.Done()
		return nil
	}
	filter := domain.Filter{Prefixes: []string{domain.RunPrefix}}
	var after domain.Position
	for r, err := range t.cfg.Log.ReadAllBackward(ctx, domain.EndPosition, filter) {
		if err != nil {
			return fmt.Errorf("find the end of the log: %w", err)
		}
		after = r.Position
		break
	}
	for d, err := range t.cfg.Log.Subscribe(ctx, after, filter) {
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, domain.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("follow the ends of runs: %w", err)
		case d.Event == nil:
			continue
		}
		switch d.Event.Type {
		case "run.completed.v1", "run.compensated.v1", "run.cancelled.v1", "run.abandoned.v1":
			if err := t.runEnded(ctx, d.Event); err != nil && ctx.Err() == nil {
				t.cfg.Logger.Warn("no span for a run", "stream", d.Event.Stream, "error", err)
			}
		}
	}
	return nil
}

// runEnded makes the span of a run that has ended.
func (t *Tracing) runEnded(ctx context.Context, r *domain.Recorded) error {
	end, err := domain.DecodeMeta(r.Metadata)
	if err != nil {
		return err
	}
	id, ok := domain.RunOfStream(r.Stream)
	if !ok {
		return nil
	}
	for first, err := range t.cfg.Log.ReadStream(ctx, r.Stream, 0) {
		if err != nil {
			return err
		}
		f, err := domain.DecodeFact(&first)
		if err != nil {
			return err
		}
		if started, ok := f.Event.(*domain.RunStarted); ok {
			t.span(id, started, &f.Meta, end.At, r.Type)
		}
		return nil
	}
	return nil
}

func (t *Tracing) span(id domain.RunID, started *domain.RunStarted, meta *domain.Meta, end time.Time, how string) {
	self, parent := t.runSpan(id, meta.Trace)
	ctx := context.WithValue(context.Background(), spanKey{}, spanIDs{self.TraceID(), self.SpanID()})
	opts := []trace.SpanStartOption{trace.WithTimestamp(meta.At), trace.WithAttributes(attribute.String("atone.run", id.String()),
		attribute.String("atone.saga", started.Saga), attribute.Int("atone.version", started.Version), attribute.String("atone.actor", meta.Actor),
		attribute.String("atone.correlation", meta.CorrelationID), attribute.String("atone.end", how))}
	if parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	if started.Parent != nil {
		up, _ := t.runSpan(started.Parent.Run, meta.Trace)
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: up, Attributes: []attribute.KeyValue{attribute.String("atone.link", "child of")}}))
	}
	_, span := t.tracer.Start(ctx, "run "+started.Saga, opts...)
	if how != "run.completed.v1" {
		span.SetStatus(codes.Error, how)
	}
	span.End(trace.WithTimestamp(end))
}
