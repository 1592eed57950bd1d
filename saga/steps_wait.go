package saga

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Sleep adds a step that waits: a constant time, or one computed when the step is reached. The wait
// is an event with a due time: it outlives crashes and holds no goroutine. It lasts as long as it
// says whatever the wall clock is set to meanwhile. What is not positive is over at once.
func Sleep[D time.Duration | func(Scope) time.Duration](f *Flow, d D, opts ...StepOption) {
	set := settings(opts, StepOption.forStep)
	switch d := any(d).(type) {
	case time.Duration:
		f.in.SleepFor(d, set)
	case func(Scope) time.Duration:
		f.in.Sleep(restOf(d, func(span time.Duration) definition.Rest { return definition.Rest{Span: span} }), set)
	}
}

// restOf wraps a function that says how long to sleep, or until when.
func restOf[T any](f func(Scope) T, rest func(T) definition.Rest) definition.Code {
	return definition.Code{Try: tryOf(f), Expression: definition.Expression{
		Rest: func(v definition.Scope) definition.Rest { return rest(f(Scope{v})) },
	}}
}

// SleepUntil adds a step that waits until a time by the wall clock: if that is set, the step ends
// earlier or later. One that has passed is over at once.
func SleepUntil(f *Flow, t func(Scope) time.Time, opts ...StepOption) {
	f.in.Sleep(restOf(t, func(until time.Time) definition.Rest { return definition.Rest{Until: until} }), settings(opts, StepOption.forStep))
}

// Await adds a step that waits for a signal sent to the run, whose value is its output. A
// signal that came before is kept and taken. The step is named after the signal unless [Name]
// says otherwise. [Within] bounds the wait, [DefaultTo] gives the value then.
func Await[T any](f *Flow, signal string, opts ...AwaitOption) Ref[T] {
	return Ref[T]{f.in.Await(signal, reflect.TypeFor[T](), payload.Fits[T], settings(opts, AwaitOption.forAwait))}
}

// AwaitEvent adds a step that waits for a domain event of the type, emitted by whatever run or
// app, whose correlation id is what correlation returns; the event's payload is its output. The
// step is named after the type unless [Name] says otherwise.
func AwaitEvent[T any](f *Flow, eventType string, correlation func(Scope) string, opts ...AwaitOption) Ref[T] {
	c := definition.Code{Try: tryOf(correlation), Expression: definition.Expression{Correlation: inScope(correlation)}}
	return Ref[T]{f.in.AwaitEvent(eventType, reflect.TypeFor[T](), c, settings(opts, AwaitOption.forAwait))}
}

// Failed is the input of a failure handler: what failed, why, and what became of the rest.
type Failed struct {
	Run     domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	Input   json.RawMessage `json:"input,omitempty"`
	// State is the run's state when the handler was started.
	State domain.RunState `json:"state"`
	// Step is the step that failed; empty in the report of a run.
	Step  string          `json:"step,omitempty"`
	Cause *domain.Failure `json:"cause,omitempty"`
	// StepInput is the failed step's input.
	StepInput json.RawMessage `json:"step_input,omitempty"`
	// Undone lists the steps that were undone, NotUndone those whose effect stands.
	Undone    []string `json:"undone,omitempty"`
	NotUndone []string `json:"not_undone,omitempty"`
}
