package definition

import (
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// SleepFor adds a step that waits for a constant time.
func (f *Flow) SleepFor(d time.Duration, opts []StepOption) {
	st, _ := f.add(&domain.Node{Kind: domain.KindSleep}, "", "sleep", opts)
	if d <= 0 {
		f.b.fail(st.key, "it sleeps for %v: use a positive time", d)
	}
	f.b.code[st.key] = Expression{Rest: func(Scope) Rest { return Rest{Span: d} }}
}

// Sleep adds a step that waits for a time, or until one, that is computed when the step is
// reached.
func (f *Flow) Sleep(rest Code, opts []StepOption) {
	st, _ := f.add(&domain.Node{Kind: domain.KindSleep}, "", "sleep", opts)
	f.b.expr(st, rest, "its function")
}

// Await adds a step that waits for a signal.
func (f *Flow) Await(signal string, t reflect.Type, payload Payload, opts []StepOption) *Source {
	st := f.await(signal, &domain.AwaitSpec{Signal: signal}, t, opts)
	if signal == "" {
		f.b.fail(st.key, "it awaits a signal without a name")
	} else if err := accept.Name("the signal's name", signal, accept.MaxName); err != nil {
		f.b.fail(st.key, "it awaits a signal that nobody can send: %v", err)
	}
	f.b.signals[signal] = append(f.b.signals[signal], payload)
	return st.source()
}

// AwaitEvent adds a step that waits for a domain event of the type.
func (f *Flow) AwaitEvent(eventType string, t reflect.Type, correlation Code, opts []StepOption) *Source {
	st := f.await(eventType, &domain.AwaitSpec{Event: eventType}, t, opts)
	if domain.ReservedType(eventType) {
		f.b.fail(st.key, "it awaits events of type %q, which no app can emit: the type is empty, or its first word is atone's own", eventType)
	} else if err := accept.Name("the type", eventType, accept.MaxName); err != nil {
		f.b.fail(st.key, "it awaits events that no app can emit: %v", err)
	}
	f.b.expr(st, correlation, "its correlation function")
	return st.source()
}

// await adds an await and checks its default.
func (f *Flow) await(name string, spec *domain.AwaitSpec, t reflect.Type, opts []StepOption) *step {
	if !ValidName(name) {
		name = ""
	}
	st, conf := f.add(&domain.Node{Kind: domain.KindAwait, Await: spec}, name, "await", opts)
	f.b.uses(st.key, t)
	if d := conf.DefaultType; d != nil {
		if d != t {
			f.b.fail(st.key, "DefaultTo is a %v, but the step's output is a %v", d, t)
		}
		if spec.Timeout == 0 {
			f.b.fail(st.key, "DefaultTo without Within: it would never be taken")
		}
	}
	return st
}
