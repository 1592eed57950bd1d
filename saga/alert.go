package saga

import (
	"context"
	"log/slog"
	"time"

	"github.com/atonehq/atone/domain"
)

// AlertKind says what an alert is about.
type AlertKind string

// The kinds of alert.
const (
	// AlertStuck: a run needs a person.
	AlertStuck AlertKind = "stuck"
	// AlertFailed: a run failed and is being undone.
	AlertFailed AlertKind = "failed"
	// AlertSlow: a run takes longer than its saga says that it should.
	AlertSlow AlertKind = "slow"
	// AlertHung: a handler goes on after its attempt was given up, and keeps its place.
	AlertHung AlertKind = "hung"
	// AlertSkew: two nodes' wall clocks are more than [SkewTold] apart. It names no run.
	AlertSkew AlertKind = "skew"
)

// Alert tells somebody about a run, or about a node.
type Alert struct {
	// ID is the same whenever the same alert is told again: the incident's id for stuck runs.
	ID      string          `json:"id"`
	Kind    AlertKind       `json:"kind"`
	Run     domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	Step    string          `json:"step,omitempty"`
	Cause   *domain.Failure `json:"cause,omitempty"`
	At      time.Time       `json:"at"`
}

// AlertSink takes alerts, for example to a pager. Each alert is told at least once, in order, by one of the nodes that
// share a log, and again after an error or a crash; a sink drops repeats by Alert.ID. An incident that was resolved
// before its alert could be told is not told.
type AlertSink interface {
	// Alert returns nil when the alert was taken. It is not called concurrently. Its context ends after a minute, and a
	// few seconds after the coordinator was told to stop. A sink that takes nothing, panics or does not return
	// keeps no alert from the others; see [Coordinator.AlertsHeldUp].
	Alert(ctx context.Context, a Alert) error
}

// alertTexts are the messages under which [LogAlerts] logs.
var alertTexts = map[AlertKind]string{
	AlertStuck: "run is stuck and needs a person", AlertFailed: "run failed and turns back", AlertSlow: "run is slow",
	AlertHung: "handler ignores its context and keeps its place", AlertSkew: "the clocks of two nodes are apart",
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
