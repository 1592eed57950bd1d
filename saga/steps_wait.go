package saga

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// Sleep adds a step that waits: a constant time, or one computed when the step is reached. The
// wait is an event with a due time: it outlives crashes and holds no goroutine. It lasts as long as it says
// whatever the wall clock is set to meanwhile. What is not positive is over at once.
func Sleep[D time.Duration | func(Scope) time.Duration](f *Flow, d D, opts ...StepOption) {
	st, _ := f.add(&domain.Node{Kind: domain.KindSleep}, "", "sleep", opts)
	switch d := any(d).(type) {
	case time.Duration:
		if d <= 0 {
			f.b.fail(st.key, "it sleeps for %v: use a positive time", d)
		}
		f.b.code[st.key] = expression{rest: func(Scope) rest { return rest{span: d} }}
	case func(Scope) time.Duration:
		f.b.expr(st, expression{rest: func(v Scope) rest { return rest{span: d(v)} }}, d == nil, "its function", tryOf(d))
	}
}

// rest is how long a step sleeps, or until when.
type rest struct {
	span  time.Duration
	until time.Time
}

// SleepUntil adds a step that waits until a time by the wall clock: if that is set, the step ends earlier or
// later. One that has passed is over at once.
func SleepUntil(f *Flow, t func(Scope) time.Time, opts ...StepOption) {
	st, _ := f.add(&domain.Node{Kind: domain.KindSleep}, "", "sleep", opts)
	f.b.expr(st, expression{rest: func(v Scope) rest { return rest{until: t(v)} }}, t == nil, "its function", tryOf(t))
}

// Await adds a step that waits for a signal sent to the run, whose value is its output. A
// signal that came before is kept and taken. The step is named after the signal unless [Name]
// says otherwise. [Within] bounds the wait, [DefaultTo] gives the value then.
func Await[T any](f *Flow, signal string, opts ...StepOption) Ref[T] {
	st := awaits[T](f, signal, &domain.AwaitSpec{Signal: signal}, opts)
	if signal == "" {
		f.b.fail(st.key, "it awaits a signal without a name")
	} else if err := accept.Name("the signal's name", signal, accept.MaxName); err != nil {
		f.b.fail(st.key, "it awaits a signal that nobody can send: %v", err)
	}
	f.b.signals[signal] = append(f.b.signals[signal], payloadType{reflect.TypeFor[T]().String(), fits[T]})
	return Ref[T]{st.source()}
}

// AwaitEvent adds a step that waits for a domain event of the type, emitted by whatever run or
// app, whose correlation id is what correlation returns; the event's payload is its output. The
// step is named after the type unless [Name] says otherwise.
func AwaitEvent[T any](f *Flow, eventType string, correlation func(Scope) string, opts ...StepOption) Ref[T] {
	st := awaits[T](f, eventType, &domain.AwaitSpec{Event: eventType}, opts)
	if domain.ReservedType(eventType) {
		f.b.fail(st.key, "it awaits events of type %q, which no app can emit: the type is empty, or its first word is atone's own", eventType)
	} else if err := accept.Name("the type", eventType, accept.MaxName); err != nil {
		f.b.fail(st.key, "it awaits events that no app can emit: %v", err)
	}
	f.b.expr(st, expression{correlation: correlation}, correlation == nil, "its correlation function", tryOf(correlation))
	return Ref[T]{st.source()}
}

// awaits adds an await and checks its default.
func awaits[T any](f *Flow, name string, spec *domain.AwaitSpec, opts []StepOption) *step {
	if !namePattern.MatchString(name) {
		name = ""
	}
	st, conf := f.add(&domain.Node{Kind: domain.KindAwait, Await: spec}, name, "await", opts)
	f.b.uses(st.key, reflect.TypeFor[T]())
	if t := conf.defaultType; t != nil {
		if t != reflect.TypeFor[T]() {
			f.b.fail(st.key, "DefaultTo is a %v, but the step's output is a %v", t, reflect.TypeFor[T]())
		}
		if spec.Timeout == 0 {
			f.b.fail(st.key, "DefaultTo without Within: it would never be taken")
		}
	}
	return st
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
