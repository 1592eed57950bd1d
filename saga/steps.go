package saga

import (
	"encoding/json"
	"reflect"

	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
)

// valueOf wraps a typed function, which may be nil.
func valueOf[T any](f func(Scope) T) definition.Code {
	if f == nil {
		return definition.Code{}
	}
	return definition.Code{Try: tryOf(f), Expression: definition.Expression{
		Value: func(v definition.Scope) (json.RawMessage, error) { return payload.EncodeOnce(v.Memo(), f(Scope{v})) },
	}}
}

// tryOf calls a function with made-up values; it is nil for a nil function.
func tryOf[T any](f func(Scope) T) func(definition.Scope) {
	if f == nil {
		return nil
	}
	return func(v definition.Scope) { f(Scope{v}) }
}

func shapeOf[In, Out any]() definition.Shape {
	return definition.Shape{In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out]()}
}

// actionName returns the name of an action that may be nil or badly named, or nothing.
func actionName[In, Out any](a *Action[In, Out]) string {
	if a == nil || !definition.ValidName(a.Name) {
		return ""
	}
	return a.Name
}

// Do adds a step that runs an action. input computes what it is called with, when the step
// is reached; the value is recorded and every attempt gets it. The step is named after the
// action unless [Name] says otherwise.
func Do[In, Out any](f *Flow, a *Action[In, Out], input func(Scope) In, opts ...DoOption) Ref[Out] {
	return Ref[Out]{f.in.Do(actionName(a), used(a), shapeOf[In, Out](), valueOf(input), settings(opts, DoOption.forDo))}
}

// Compute adds a step that computes a value from earlier ones. It is computed once and recorded.
func Compute[T any](f *Flow, name string, value func(Scope) T, opts ...StepOption) Ref[T] {
	return Ref[T]{f.in.Compute(name, reflect.TypeFor[T](), valueOf(value), settings(opts, StepOption.forStep))}
}

// Return computes the output of the function that it is in: that given to [Define], the body of an
// [Each], or a branch of a [Choose]. It is the last thing in it, and its Ref is what the
// function returns.
func Return[T any](f *Flow, value func(Scope) T) Ref[T] {
	return Ref[T]{f.in.Return(reflect.TypeFor[T](), valueOf(value))}
}

// Reject adds a step that refuses: the run fails for good, with the reason, and turns back. It ends
// the function that it is in, typically a branch:
//
//	saga.If(f, func(v saga.Scope) bool { return order.In(v).Total > limit },
//		func(f *saga.Flow) { saga.Reject(f, "above the limit") }, nil)
//
// reason is a constant text, or computed when the step is reached. A branch of a [Choose], or the
// body of an [Each], that rejects returns Ref[T]{}. An action refuses with [Permanent].
func Reject[R string | func(Scope) string](f *Flow, reason R, opts ...NameOption) {
	c := definition.Code{}
	switch reason := any(reason).(type) {
	case string:
		c.Try, c.Reject = func(definition.Scope) {}, func(definition.Scope) string { return reason }
	case func(Scope) string:
		c.Try, c.Reject = tryOf(reason), inScope(reason)
	}
	f.in.Reject(c, settings(opts, NameOption.forName))
}

// Pivot adds the point of no return: before it a failure undoes the run, after it steps are
// retried, and the run is stuck where that does not help. The default rule after it is [Forward].
func Pivot(f *Flow, opts ...NameOption) { f.in.Pivot(settings(opts, NameOption.forName)) }

// Child adds a step that runs another saga to its end. When this run turns back, the child is
// undone through its own undos. The step is named after the child unless [Name] says otherwise. The
// child has this run's labels unless [WithoutLabels] says otherwise.
func Child[In, Out any](f *Flow, s *Saga[In, Out], input func(Scope) In, opts ...ChildOption) Ref[Out] {
	c := definition.ChildUse{Nil: s == nil}
	if s != nil {
		c.Name, c.Version, c.Definition, c.Err = s.name, s.version, s.def, s.err
	}
	return Ref[Out]{f.in.Child(c, shapeOf[In, Out](), valueOf(input), settings(opts, ChildOption.forChild))}
}
