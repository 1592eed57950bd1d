package domain

import (
	"encoding/json"
	"fmt"
	"strings"
)

// wireTypes is the only table of wire names. A released name keeps its meaning for ever; a changed
// shape gets a new version.
var wireTypes = map[string]func() Event{
	"run.started.v1":          func() Event { return new(RunStarted) },
	"run.completed.v1":        func() Event { return new(RunCompleted) },
	"run.turned_back.v1":      func() Event { return new(RunTurnedBack) },
	"run.cancel_requested.v1": func() Event { return new(CancelRequested) },
	"run.compensated.v1":      func() Event { return new(RunCompensated) },
	"run.cancelled.v1":        func() Event { return new(RunCancelled) },
	"run.abandoned.v1":        func() Event { return new(RunAbandoned) },
	"run.stuck.v1":            func() Event { return new(RunStuck) },
	"run.paused.v1":           func() Event { return new(RunPaused) },
	"run.resumed.v1":          func() Event { return new(RunResumed) },
	"run.blocked.v1":          func() Event { return new(RunBlocked) },
	"run.noted.v1":            func() Event { return new(RunNoted) },
	"run.assigned.v1":         func() Event { return new(RunAssigned) },
	"run.snoozed.v1":          func() Event { return new(RunSnoozed) },
	"attempt.started.v1":      func() Event { return new(AttemptStarted) },
	"attempt.succeeded.v1":    func() Event { return new(AttemptSucceeded) },
	"attempt.failed.v1":       func() Event { return new(AttemptFailed) },
	"attempt.heartbeat.v1":    func() Event { return new(AttemptHeartbeat) },
	"attempt.late.v1":         func() Event { return new(OutcomeLate) },
	"step.probed.v1":          func() Event { return new(StepProbed) },
	"step.failed.v1":          func() Event { return new(StepFailed) },
	"step.ignored.v1":         func() Event { return new(StepIgnored) },
	"step.item_failed.v1":     func() Event { return new(ItemFailed) },
	"step.retried.v1":         func() Event { return new(StepRetried) },
	"step.resolved.v1":        func() Event { return new(StepResolved) },
	"step.branch_chosen.v1":   func() Event { return new(BranchChosen) },
	"step.items_listed.v1":    func() Event { return new(ItemsListed) },
	"step.computed.v1":        func() Event { return new(ValueComputed) },
	"step.planned.v1":         func() Event { return new(StepsPlanned) },
	"step.pivot_passed.v1":    func() Event { return new(PivotPassed) },
	"timer.set.v1":            func() Event { return new(TimerSet) },
	"timer.fired.v1":          func() Event { return new(TimerFired) },
	"await.opened.v1":         func() Event { return new(AwaitOpened) },
	"await.met.v1":            func() Event { return new(AwaitMet) },
	"signal.received.v1":      func() Event { return new(SignalReceived) },
	"child.started.v1":        func() Event { return new(ChildStarted) },
	"child.turned_back.v1":    func() Event { return new(ChildTurnedBack) },
	"child.ended.v1":          func() Event { return new(ChildEnded) },
}

// WireNames returns every wire name of this version, in no order.
func WireNames() []string {
	names := make([]string, 0, len(wireTypes))
	for n := range wireTypes {
		names = append(names, n)
	}
	return names
}

// reservedFirstWords are the first words of wire names; domain events may not begin with them.
var reservedFirstWords = []string{"run.", "attempt.", "step.", "timer.", "await.", "signal.", "child.", "plan.", "saga.", "snapshot.", "atone.", "$"}

// ReservedType reports whether domain events must not have that type, because atone or EventStoreDB
// uses such names.
func ReservedType(name string) bool {
	for _, p := range reservedFirstWords {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return name == ""
}

// WireName implements [Event]; it returns the event's own type.
func (e *DomainEvent) WireName() string { return e.Type }

// WireName implements [Event].
func (*RunStarted) WireName() string       { return "run.started.v1" }
func (*RunCompleted) WireName() string     { return "run.completed.v1" }
func (*RunTurnedBack) WireName() string    { return "run.turned_back.v1" }
func (*CancelRequested) WireName() string  { return "run.cancel_requested.v1" }
func (*RunCompensated) WireName() string   { return "run.compensated.v1" }
func (*RunCancelled) WireName() string     { return "run.cancelled.v1" }
func (*RunAbandoned) WireName() string     { return "run.abandoned.v1" }
func (*RunStuck) WireName() string         { return "run.stuck.v1" }
func (*RunPaused) WireName() string        { return "run.paused.v1" }
func (*RunResumed) WireName() string       { return "run.resumed.v1" }
func (*RunBlocked) WireName() string       { return "run.blocked.v1" }
func (*RunNoted) WireName() string         { return "run.noted.v1" }
func (*RunAssigned) WireName() string      { return "run.assigned.v1" }
func (*RunSnoozed) WireName() string       { return "run.snoozed.v1" }
func (*AttemptStarted) WireName() string   { return "attempt.started.v1" }
func (*AttemptSucceeded) WireName() string { return "attempt.succeeded.v1" }
func (*AttemptFailed) WireName() string    { return "attempt.failed.v1" }
func (*AttemptHeartbeat) WireName() string { return "attempt.heartbeat.v1" }
func (*OutcomeLate) WireName() string      { return "attempt.late.v1" }
func (*StepProbed) WireName() string       { return "step.probed.v1" }
func (*StepFailed) WireName() string       { return "step.failed.v1" }
func (*StepIgnored) WireName() string      { return "step.ignored.v1" }
func (*ItemFailed) WireName() string       { return "step.item_failed.v1" }
func (*StepRetried) WireName() string      { return "step.retried.v1" }
func (*StepResolved) WireName() string     { return "step.resolved.v1" }
func (*BranchChosen) WireName() string     { return "step.branch_chosen.v1" }
func (*ItemsListed) WireName() string      { return "step.items_listed.v1" }
func (*ValueComputed) WireName() string    { return "step.computed.v1" }
func (*StepsPlanned) WireName() string     { return "step.planned.v1" }
func (*PivotPassed) WireName() string      { return "step.pivot_passed.v1" }
func (*TimerSet) WireName() string         { return "timer.set.v1" }
func (*TimerFired) WireName() string       { return "timer.fired.v1" }
func (*AwaitOpened) WireName() string      { return "await.opened.v1" }
func (*AwaitMet) WireName() string         { return "await.met.v1" }
func (*SignalReceived) WireName() string   { return "signal.received.v1" }
func (*ChildStarted) WireName() string     { return "child.started.v1" }
func (*ChildTurnedBack) WireName() string  { return "child.turned_back.v1" }
func (*ChildEnded) WireName() string       { return "child.ended.v1" }

// UnknownEventError means that a run's stream has an event that only a newer version of atone
// knows. The run waits until such a version reads it.
type UnknownEventError struct{ Type string }

// Error implements error.
func (e *UnknownEventError) Error() string {
	return fmt.Sprintf("event type %q is not known to this version of atone: run a newer one", e.Type)
}

// DecodeEvent reads an event of a run's stream from its wire name and JSON. The raw
// payloads of the result are slices of data. It returns an [*UnknownEventError] for a
// reserved name that this version does not know, and a [*DomainEvent] for all others.
func DecodeEvent(wireName string, data []byte) (Event, error) {
	newEvent, ok := wireTypes[wireName]
	if !ok {
		if ReservedType(wireName) {
			return nil, &UnknownEventError{Type: wireName}
		}
		return &DomainEvent{Type: wireName, Payload: data}, nil
	}
	e := newEvent()
	if err := json.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("decode %s: %w", wireName, err)
	}
	return e, nil
}
