package saga

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/alerts"
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

// newAlerts gives the room of alerts what it needs.
func (c *Coordinator) newAlerts() *alerts.Alerts {
	return alerts.New(alerts.Config{
		Log: c.log, Logger: c.logger, Clock: c.clock,
		Persevere: func(ctx context.Context, stream string, expected domain.Expected, e domain.NewEvent) error {
			return c.persevere(ctx, stream, expected, e)
		},
		Shared: c.cfg.Shared, Incarnation: c.incarnation, Alive: c.cluster.Alive, ClaimEvery: c.cluster.Interval() / 2,
		MayTell: c.mayTellAlerts, LogFailed: c.logFailed, Unfinished: c.wakeups.Has,
		Started: func(ctx context.Context, run domain.RunID) (*domain.RunStarted, error) {
			started, _, err := c.firstEvent(ctx, run)
			return started, err
		},
		Plan: func(ctx context.Context, run domain.RunID, hash string) (*domain.Plan, error) {
			plan, err := c.planOf(ctx, hash)
			return plan, ofPlan(run, err)
		},
		Open: c.incidentIsOpen,
	})
}

// mayTellAlerts refuses while other nodes may have given this one up, without its having noticed.
func (c *Coordinator) mayTellAlerts() error {
	if c.cfg.Shared && c.LogSilence() >= refuseSilence {
		return fmt.Errorf("%w: another node may tell the alerts", ErrLogSilent)
	}
	return nil
}

// incidentIsOpen reports whether an incident of a run is open. Of a run that can't be read it is.
func (c *Coordinator) incidentIsOpen(ctx context.Context, run domain.RunID, incident string) bool {
	s, err := c.foldAt(ctx, run, Latest)
	if err != nil {
		return true
	}
	for _, st := range ViewOf(s).Steps {
		if st.Incident == incident {
			return true
		}
	}
	return false
}

// notify has an alert told. It does not block: the alert is written to the log in the background.
func (c *Coordinator) notify(a Alert) {
	c.goBackground(func(ctx context.Context) { c.alerts.Notify(ctx, a) })
}

// AlertsHeldUp tells for how long which sinks, by their types, have not taken the alert that they
// are told.
func (c *Coordinator) AlertsHeldUp() map[string]time.Duration { return c.alerts.HeldUp() }
