package saga

import (
	"context"
	"log/slog"

	"github.com/atonehq/atone/domain"
)

// What alerts are made of; they are plain data that adapters share.
type (
	// Alert tells somebody about a run, or about a node.
	Alert = domain.Alert
	// AlertKind says what an alert is about.
	AlertKind = domain.AlertKind
	// AlertSink takes alerts, for example to a pager. See [Coordinator.AlertsHeldUp] for one that
	// does not.
	AlertSink = domain.AlertSink
)

// The kinds of alert.
const (
	// AlertStuck: a run needs a person.
	AlertStuck = domain.AlertStuck
	// AlertFailed: a run failed and is being undone.
	AlertFailed = domain.AlertFailed
	// AlertSlow: a run takes longer than its saga says that it should.
	AlertSlow = domain.AlertSlow
	// AlertHung: a handler goes on after its attempt was given up, and keeps its place.
	AlertHung = domain.AlertHung
	// AlertSkew: two nodes' wall clocks are more than [SkewTold] apart. It names no run.
	AlertSkew = domain.AlertSkew
	// AlertTrigger: events do not reach a trigger, or the runs that they start do not start. It names
	// no run.
	AlertTrigger = domain.AlertTrigger
)

// alertTexts are the messages under which [LogAlerts] logs.
var alertTexts = map[AlertKind]string{
	AlertStuck: "run is stuck and needs a person", AlertFailed: "run failed and turns back", AlertSlow: "run is slow",
	AlertHung: "handler ignores its context and keeps its place", AlertSkew: "the clocks of two nodes are apart",
	AlertTrigger: "a trigger does not get on",
}

// LogAlerts is an [AlertSink] that writes alerts to a logger: stuck runs as errors, the
// others as warnings.
type LogAlerts struct {
	// Logger takes the alerts; nil means slog.Default.
	Logger *slog.Logger
}

// Alert implements [AlertSink].
func (l LogAlerts) Alert(ctx context.Context, a Alert) error {
	level := slog.LevelWarn
	if a.Kind == AlertStuck {
		level = slog.LevelError
	}
	logger := l.Logger
	if logger == nil {
		logger = slog.Default()
	}
	attrs := []slog.Attr{slog.String("alert", a.ID), slog.String("run", a.Run.String()), slog.String("saga", a.Saga), slog.Int("version", a.Version)}
	if a.Step != "" {
		attrs = append(attrs, slog.String("step", a.Step))
	}
	if a.Cause != nil {
		attrs = append(attrs, slog.String("cause", a.Cause.Message))
	}
	logger.LogAttrs(ctx, level, alertTexts[a.Kind], attrs...)
	return nil
}
