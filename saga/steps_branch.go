package saga

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Parallel adds branches that run at once; the step is done when all are. When one fails, the
// others are cancelled, awaited, and undone where they did, or may have done, their effect. What
// the branches' steps return may be read after the Parallel, not in the branches beside.
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
// [Concurrency]). Its output are the items' outputs in the order of the list. When an item fails,
// beyond those that [Tolerate] allows, the run turns back.
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

// If adds a step that runs then where cond holds, else otherwise, which may be nil.
func If(f *Flow, cond func(Scope) bool, then, otherwise func(*Flow), opts ...NameOption) {
	f.in.If(inScope(cond), tryOf(cond), branchOf(then), branchOf(otherwise), settings(opts, NameOption.forName))
}

// inScope wraps a function that returns no payload.
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

// Switch adds a step that runs the one case whose value choose returns, or [Otherwise], or,
// where there is none, nothing. [Name] may stand among the cases.
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

// Choose is a [Switch] with an output: that of the branch taken. Without [Else], and for a value
// that no branch is for, the Ref has no value (see [Ref.Ok]).
func Choose[T any](f *Flow, name string, choose func(Scope) string, choices ...Choice[T]) Ref[T] {
	cases := make([]definition.Case, len(choices))
	for i, c := range choices {
		cases[i] = definition.Case{Value: c.value, Otherwise: c.otherwise}
		if run := c.run; run != nil {
			cases[i].Returns = func(f *definition.Flow) *definition.Source { return run(&Flow{f}).src }
		}
	}
	return Ref[T]{f.in.Choose(name, reflect.TypeFor[T](), inScope(choose), tryOf(choose), cases, isNone[T]())}
}
