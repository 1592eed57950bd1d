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
	// AlertHung: a handler goes on after its attempt was given up, and keeps its place.
	AlertHung AlertKind = "hung"
	// AlertSkew: two nodes' wall clocks are far apart. It names no run.
	AlertSkew AlertKind = "skew"
	// AlertTrigger: events do not reach a trigger, or the runs that they start do not start. It
	// names no run.
	AlertTrigger AlertKind = "trigger"
)

// Alert tells somebody about a run, or about a node.
type Alert struct {
	// ID is the same whenever the same alert is told again: the incident's id for stuck runs.
	ID      string    `json:"id"`
	Kind    AlertKind `json:"kind"`
	Run     RunID     `json:"run"`
	Saga    string    `json:"saga"`
	Version int       `json:"version"`
	Step    string    `json:"step,omitempty"`
	Cause   *Failure  `json:"cause,omitempty"`
	At      time.Time `json:"at"`
}

// AlertSink takes alerts, for example to a pager. Each alert is told at least once, in order, by
// one of the nodes that share a log, and again after an error or a crash; a sink drops repeats by
// [Alert.ID]. An incident that was resolved before its alert could be told is not told.
type AlertSink interface {
	// Alert returns nil when the alert was taken. It is not called concurrently. Its context ends
	// after a minute, and a few seconds after the coordinator was told to stop. A sink that takes
	// nothing, panics or does not return keeps no alert from the others.
	Alert(ctx context.Context, a Alert) error
}
