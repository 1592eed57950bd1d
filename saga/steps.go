package saga

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
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

// Do adds a step that runs an action. When the run reaches the step, input computes the action's
// input; the value is recorded, and every attempt gets it. The step is named after the action
// unless [Name] says otherwise.
func Do[In, Out any](f *Flow, a *Action[In, Out], input func(Scope) In, opts ...DoOption) Ref[Out] {
	return Ref[Out]{f.in.Do(actionName(a), used(a), shapeOf[In, Out](), valueOf(input), settings(opts, DoOption.forDo))}
}

// Compute adds a step that computes a value from earlier ones. It is computed once and recorded.
func Compute[T any](f *Flow, name string, value func(Scope) T, opts ...StepOption) Ref[T] {
	return Ref[T]{f.in.Compute(name, reflect.TypeFor[T](), valueOf(value), settings(opts, StepOption.forStep))}
}

// Return computes the output of its function: the one given to [Define], the body of an [Each], or
// a branch of a [Choose]. Call it last, and return its Ref from the function.
func Return[T any](f *Flow, value func(Scope) T) Ref[T] {
	return Ref[T]{f.in.Return(reflect.TypeFor[T](), valueOf(value))}
}

// Reject adds a step that fails the run for good, with the reason, and turns it back. It is the
// last step of its function, typically a branch:
//
//	saga.If(f, func(v saga.Scope) bool { return order.In(v).Total > limit },
//		func(f *saga.Flow) { saga.Reject(f, "above the limit") }, nil)
//
// reason is a constant text, or a function that is called when the run reaches the step. A branch
// of a [Choose], or the body of an [Each], that rejects returns Ref[T]{}. Inside an action, refuse
// with [Permanent].
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

// Pivot adds the point of no return: before it a failure undoes the run; after it steps are
// retried, and the run is stuck if no retry succeeds. After it the default rule is [Forward].
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

// Parallel adds branches that run at once; the step is done when all are. When one fails, the
// others are cancelled and awaited, and the effects that they had or may have had are undone. Steps
// after the Parallel may read the branches' outputs; other branches may not.
func Parallel(f *Flow, branches ...func(*Flow)) { ParallelWith(f, nil, branches...) }

// ParallelWith is [Parallel] with options: [Name], [Concurrency].
func ParallelWith(f *Flow, opts []ParallelOption, branches ...func(*Flow)) {
	inner := make([]func(*definition.Flow), len(branches))
	for i, run := range branches {
		inner[i] = branchOf(run)
	}
	f.in.Parallel(settings(opts, ParallelOption.forParallel), inner)
}

// branchOf wraps the function of a branch, which may be nil.
func branchOf(run func(*Flow)) func(*definition.Flow) {
	if run == nil {
		return nil
	}
	return func(f *definition.Flow) { run(&Flow{f}) }
}

// Each adds a step that runs body's steps for every item of a list, up to 16 items at once (see
// [Concurrency]). Its output is the list of the items' outputs, in order. When more items fail than
// [Tolerate] allows, the run turns back.
//
// Steps in the body are addressed by the item's index: ship/3/label. The list is recorded when
// the step is reached. An empty list is an empty output.
func Each[T, R any](f *Flow, name string, items func(Scope) []T, body func(f *Flow, item Ref[T]) Ref[R], opts ...EachOption) EachRef[R] {
	var inner func(*definition.Flow, *definition.Source) *definition.Source
	if body != nil {
		inner = func(f *definition.Flow, item *definition.Source) *definition.Source {
			return body(&Flow{f}, Ref[T]{item}).src
		}
	}
	return EachRef[R]{Ref[[]R]{f.in.Each(name, shapeOf[T, R](), itemsOf(items), inner, isNone[R](), settings(opts, EachOption.forEach))}}
}

// itemsOf wraps a typed list function.
func itemsOf[T any](items func(Scope) []T) definition.Code {
	return definition.Code{Try: tryOf(items), Expression: definition.Expression{
		Items: func(v definition.Scope) ([]json.RawMessage, error) {
			list := items(Scope{v})
			out := make([]json.RawMessage, len(list))
			for i, it := range list {
				raw, err := payload.Encode(it)
				if err != nil {
					return nil, fmt.Errorf("item %d: %w", i, err)
				}
				out[i] = raw
			}
			return out, nil
		},
	}}
}

// If adds a step that runs then if cond returns true, and otherwise, which may be nil, if it does
// not.
func If(f *Flow, cond func(Scope) bool, then, otherwise func(*Flow), opts ...NameOption) {
	f.in.If(inScope(cond), tryOf(cond), branchOf(then), branchOf(otherwise), settings(opts, NameOption.forName))
}

// inScope wraps a function whose result is not a payload.
func inScope[T any](f func(Scope) T) func(definition.Scope) T {
	return func(v definition.Scope) T { return f(Scope{v}) }
}

// SwitchPart is a case of a [Switch], or an option of it; see [When] and [Otherwise].
type SwitchPart interface{ forSwitch() }

type switchCase struct{ definition.Case }

func (switchCase) forSwitch() {}

// When is the case of a [Switch] for one value.
func When(value string, branch func(*Flow)) SwitchPart {
	return switchCase{definition.Case{Value: value, Run: branchOf(branch)}}
}

// Otherwise is the case of a [Switch] for every other value.
func Otherwise(branch func(*Flow)) SwitchPart {
	return switchCase{definition.Case{Otherwise: true, Run: branchOf(branch)}}
}

// Switch adds a step that runs the case whose value choose returns. If there is none it runs
// [Otherwise], if given, or nothing. [Name] may be given among the cases.
func Switch(f *Flow, choose func(Scope) string, cases ...SwitchPart) {
	var opts []definition.StepOption
	var branches []definition.Case
	nils := 0
	for _, c := range cases {
		switch c := c.(type) {
		case stepOption:
			opts = append(opts, c.set)
		case switchCase:
			branches = append(branches, c.Case)
		default:
			nils++
		}
	}
	f.in.Switch(inScope(choose), tryOf(choose), branches, nils, opts)
}

// Choice is a branch of a [Choose]; see [On] and [Else].
type Choice[T any] struct {
	value     string
	otherwise bool
	run       func(*Flow) Ref[T]
}

// On is the branch of a [Choose] for one value.
func On[T any](value string, branch func(*Flow) Ref[T]) Choice[T] {
	return Choice[T]{value: value, run: branch}
}

// Else is the branch of a [Choose] for every other value.
func Else[T any](branch func(*Flow) Ref[T]) Choice[T] {
	return Choice[T]{otherwise: true, run: branch}
}

// Choose is a [Switch] with an output: that of the branch taken. If no branch matches and there is
// no [Else], the Ref has no value (see [Ref.Ok]).
func Choose[T any](f *Flow, name string, choose func(Scope) string, choices ...Choice[T]) Ref[T] {
	cases := make([]definition.Case, len(choices))
	for i, c := range choices {
		cases[i] = definition.Case{Value: c.value, Otherwise: c.otherwise}
		if run := c.run; run != nil {
			cases[i].Returns = func(f *definition.Flow) *definition.Source { return run(&Flow{f}).src }
		}
	}
	return Ref[T]{f.in.Choose(name, reflect.TypeFor[T](), inScope(choose), tryOf(choose), cases, isNone[T](), nil)}
}

// Sleep adds a step that waits for a constant time, or for one that is computed when the run
// reaches the step. The wait is an event with a due time: it survives crashes and holds no
// goroutine. Setting the wall clock does not change its length. A wait that is not positive is over
// at once.
func Sleep[D time.Duration | func(Scope) time.Duration](f *Flow, d D, opts ...StepOption) {
	set := settings(opts, StepOption.forStep)
	switch d := any(d).(type) {
	case time.Duration:
		f.in.SleepFor(d, set)
	case func(Scope) time.Duration:
		f.in.Sleep(restOf(d, func(span time.Duration) definition.Rest { return definition.Rest{Span: span} }), set)
	}
}

// restOf wraps a function that returns how long to sleep, or until when.
func restOf[T any](f func(Scope) T, rest func(T) definition.Rest) definition.Code {
	return definition.Code{Try: tryOf(f), Expression: definition.Expression{
		Rest: func(v definition.Scope) definition.Rest { return rest(f(Scope{v})) },
	}}
}

// SleepUntil adds a step that waits until the wall clock shows a time; if the clock is set, the
// step ends earlier or later. A time that has passed ends it at once.
func SleepUntil(f *Flow, t func(Scope) time.Time, opts ...StepOption) {
	f.in.Sleep(restOf(t, func(until time.Time) definition.Rest { return definition.Rest{Until: until} }), settings(opts, StepOption.forStep))
}

// Await adds a step that waits for a signal to the run; the signal's value is the step's output. A
// signal that came earlier is kept for it. The step is named after the signal unless [Name] says
// otherwise. [Within] bounds the wait; [DefaultTo] sets the value if the time has passed.
func Await[T any](f *Flow, signal string, opts ...AwaitOption) Ref[T] {
	return Ref[T]{f.in.Await(signal, reflect.TypeFor[T](), definition.PayloadOf[T](), settings(opts, AwaitOption.forAwait))}
}

// AwaitEvent adds a step that waits for a domain event with that type and with the correlation id
// that correlation returns, from any run or app. The event's payload is the step's output. The step
// is named after the type unless [Name] says otherwise.
func AwaitEvent[T any](f *Flow, eventType string, correlation func(Scope) string, opts ...AwaitOption) Ref[T] {
	c := definition.Code{Try: tryOf(correlation), Expression: definition.Expression{Correlation: inScope(correlation)}}
	return Ref[T]{f.in.AwaitEvent(eventType, reflect.TypeFor[T](), c, settings(opts, AwaitOption.forAwait))}
}

// Failed is the input of a failure handler: what failed, why, and what was undone.
type Failed struct {
	Run     domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	Input   json.RawMessage `json:"input,omitempty"`
	// State is the run's state when the handler was started.
	State domain.RunState `json:"state"`
	// Step is the step that failed; empty in a saga's failure handler.
	Step  string          `json:"step,omitempty"`
	Cause *domain.Failure `json:"cause,omitempty"`
	// StepInput is the failed step's input.
	StepInput json.RawMessage `json:"step_input,omitempty"`
	// Undone lists the steps that were undone, NotUndone those whose effect stands.
	Undone    []string `json:"undone,omitempty"`
	NotUndone []string `json:"not_undone,omitempty"`
}
