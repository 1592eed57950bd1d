package domain

import (
	"context"
	"time"
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
	// AlertHung: a handler still runs after its attempt was given up, and keeps its place.
	AlertHung AlertKind = "hung"
	// AlertSkew: two nodes' wall clocks are far apart. It names no run.
	AlertSkew AlertKind = "skew"
	// AlertTrigger: events do not reach a trigger, or the runs that they start do not start. It
	// names no run.
	AlertTrigger AlertKind = "trigger"
	// AlertRejected: an event could not start its run and was passed over. It names no run.
	AlertRejected AlertKind = "rejected"
	// AlertBlocked: runs of a saga's version have been blocked for two minutes, because no program
	// has their code or can read them. It names one of them.
	AlertBlocked AlertKind = "blocked"
)

// Alert is a message about a run or a node.
type Alert struct {
	// ID is the same whenever the same alert is told again: the incident's id for stuck runs, and
	// another one each time that a retry failed and the incident is open again.
	ID      string    `json:"id"`
	Kind    AlertKind `json:"kind"`
	Run     RunID     `json:"run"`
	Saga    string    `json:"saga"`
	Version int       `json:"version"`
	// Key and Labels are those that the run was started with, Parent is set for a child run.
	Key    string            `json:"key,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Parent *ParentRef        `json:"parent,omitempty"`
	Step   string            `json:"step,omitempty"`
	// Incident is the incident of a stuck run, Direction what its step was tried in. Again means
	// that a retry failed, and the incident is open again.
	Incident  string    `json:"incident,omitempty"`
	Direction Direction `json:"direction,omitempty"`
	Again     bool      `json:"again,omitempty"`
	Cause     *Failure  `json:"cause,omitempty"`
	At        time.Time `json:"at"`
}

// AlertSink delivers alerts, for example to a pager. One of the nodes that share a log calls it for
// each alert, in order, at least once: again after an error or a crash. Drop repeats by [Alert.ID].
// An incident that was resolved before its alert could be delivered causes none.
type AlertSink interface {
	// Alert returns nil when the alert was delivered. It is not called concurrently. Its context
	// ends after a minute, or a few seconds after the coordinator begins to stop. A sink that
	// fails, panics or hangs does not delay the other sinks.
	Alert(ctx context.Context, a Alert) error
}
