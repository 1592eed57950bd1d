package saga

import (
	"errors"
	"maps"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/machine"
)

// StartOption adjusts a start.
type StartOption func(*startOptions)

type startOptions struct {
	key                    string
	labels                 map[string]string
	deadline               time.Time
	trace                  string
	parent                 *domain.ParentRef
	trigger                *domain.TriggerRef
	id                     domain.RunID
	causation, correlation string
	// then is decided in the same append as the start.
	then machine.Intent
}

// Key makes the start idempotent: the same key with the same input is the same run, with
// another input an [ErrKeyConflict]. Keys are per saga, and per single action: one of the same name has its own.
// An empty key is none.
func Key(key string) StartOption { return func(o *startOptions) { o.key = key } }

// Labels are attached to the run, for people and filters to find it by.
func Labels(labels map[string]string) StartOption {
	own := maps.Clone(labels)
	return func(o *startOptions) { o.labels = own }
}

// RunDeadline turns the run back if it has not ended by then; it overrides the saga's. One that has passed is
// refused, save that a start with the key of a run that exists finds it; so is one outside of the years 1678 to 2261.
func RunDeadline(t time.Time) StartOption { return func(o *startOptions) { o.deadline = t } }

// TraceParent makes the run part of a trace, given as a W3C traceparent.
func TraceParent(traceparent string) StartOption {
	return func(o *startOptions) { o.trace = traceparent }
}

// check refuses options that would not fit an event or an index.
func (o *startOptions) check() error {
	return errors.Join(
		accept.OptionalName("the key", o.key, accept.MaxKey),
		accept.OptionalName("the traceparent", o.trace, accept.MaxKey),
		accept.OptionalName("the correlation id", o.correlation, accept.MaxKey),
		accept.OptionalName("the causation id", o.causation, accept.MaxKey),
		accept.Labels(o.labels),
		accept.Time("the deadline", o.deadline),
	)
}

func (o *startOptions) runID(saga string) domain.RunID {
	switch {
	case o.id != domain.RunID{}:
		return o.id
	case o.key != "":
		return domain.RunIDForKey(saga, o.key)
	}
	return domain.NewRunID()
}
