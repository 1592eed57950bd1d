package alerts

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/atonehq/atone/domain"
)

// texts are the messages under which [LogSink] logs.
var texts = map[domain.AlertKind]string{
	domain.AlertStuck: "run is stuck and needs a person", domain.AlertFailed: "run failed and turns back", domain.AlertSlow: "run is slow",
	domain.AlertHung: "handler ignores its context and keeps its place", domain.AlertSkew: "the clocks of two nodes are apart",
	domain.AlertTrigger:  "a trigger makes no progress",
	domain.AlertRejected: "an event could not start its run", domain.AlertBlocked: "runs are blocked: no program goes on with them",
}

// LogSink is a [domain.AlertSink] that writes alerts to a logger: stuck runs as errors, the others
// as warnings.
type LogSink struct {
	// Logger takes the alerts; nil means slog.Default.
	Logger *slog.Logger
}

// Alert implements [domain.AlertSink].
func (l LogSink) Alert(ctx context.Context, a domain.Alert) error {
	level := slog.LevelWarn
	if a.Kind == domain.AlertStuck {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("alert", a.ID), slog.String("run", a.Run.String()), slog.String("saga", a.Saga), slog.Int("version", a.Version)}
	if a.Key != "" {
		attrs = append(attrs, slog.String("key", a.Key))
	}
	if a.Parent != nil {
		attrs = append(attrs, slog.String("parent", a.Parent.Run.String()))
	}
	if a.Step != "" {
		attrs = append(attrs, slog.String("step", a.Step))
	}
	if a.Cause != nil {
		attrs = append(attrs, slog.String("cause", a.Cause.Message))
	}
	cmp.Or(l.Logger, slog.Default()).LogAttrs(ctx, level, texts[a.Kind], attrs...)
	return nil
}
