package saga

import (
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
	// AlertTrigger: events do not reach a trigger, or the runs that they start do not start. It
	// names no run.
	AlertTrigger = domain.AlertTrigger
	// AlertRejected: an event could not start its run and was passed over. It names no run.
	AlertRejected = domain.AlertRejected
	// AlertBlocked: runs of a saga's version have been blocked for two minutes, because no program
	// has their code or can read them. It names one of them.
	AlertBlocked = domain.AlertBlocked
)

// LogAlerts is an [AlertSink] that writes alerts to a logger: stuck runs as errors, the others as
// warnings.
type LogAlerts = alerts.LogSink
