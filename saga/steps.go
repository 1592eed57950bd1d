package saga

import (
	"encoding/json"
	"reflect"

	"github.com/atonehq/atone/domain"
)

// valueOf wraps a typed function as an expression that encodes what it returns.
func valueOf[T any](f func(Scope) T) expression {
	return expression{value: func(v Scope) (json.RawMessage, error) { return encode(f(v)) }}
}

func tryOf[T any](f func(Scope) T) func(Scope) { return func(v Scope) { f(v) } }

// actionName returns the name of an action that may be nil or badly named, or nothing.
func actionName[In, Out any](a *Action[In, Out]) string {
	if a == nil || !namePattern.MatchString(a.Name) {
		return ""
	}
	return a.Name
}

// Do adds a step that runs an action. input computes what it is called with, when the step
// is reached; the value is recorded and every attempt gets it. The step is named after the
// action unless [Name] says otherwise.
func Do[In, Out any](f *Flow, a *Action[In, Out], input func(Scope) In, opts ...StepOption) Ref[Out] {
	name := actionName(a)
	spec, bad := f.b.specOf(a)
	node := &domain.Node{Kind: domain.KindDo, Action: spec}
	st, _ := f.add(node, name, "do", opts)
	f.b.failAll(st.key, bad)
	if node.Accepted != "" && node.Action.Effect != domain.EffectIrreversible {
		f.b.fail(st.key, "AcceptIrreversible: the action's effect is %q, there is nothing to accept", node.Action.Effect)
	}
	if node.Doubt != "" && node.Action.Effect != domain.EffectIrreversible {
		f.b.fail(st.key, "AcceptDoubt: the action's effect is %q, there is nothing to accept", node.Action.Effect)
	}
	f.b.uses(st.key, reflect.TypeFor[In]())
	f.b.uses(st.key, reflect.TypeFor[Out]())
	f.b.expr(st, valueOf(input), input == nil, "its input function", tryOf(input))
	return Ref[Out]{st.source()}
}

// Compute adds a step that computes a value from earlier ones. It is computed once and recorded.
func Compute[T any](f *Flow, name string, value func(Scope) T, opts ...StepOption) Ref[T] {
	st, _ := f.add(&domain.Node{Kind: domain.KindCompute}, name, "compute", opts)
	f.b.uses(st.key, reflect.TypeFor[T]())
	f.b.expr(st, valueOf(value), value == nil, "its function", tryOf(value))
	return Ref[T]{st.source()}
}

// Return computes the output of the function that it is in: that given to [Define], the body of an
// [Each], or a branch of a [Choose]. It is the last thing in it, and its Ref is what the
// function returns.
func Return[T any](f *Flow, value func(Scope) T) Ref[T] {
	st, _ := f.add(&domain.Node{Kind: domain.KindCompute}, "", "return", nil)
	if f.blk.kind == blockParallel || f.blk.kind == blockSwitch && !f.blk.returns {
		f.b.fail(st.key, "Return in a function that returns nothing: it would not end the saga; use saga.Compute, or saga.Choose for a branch with a value")
	}
	f.blk.ret = st
	f.b.uses(st.key, reflect.TypeFor[T]())
	f.b.expr(st, valueOf(value), value == nil, "its function", tryOf(value))
	return Ref[T]{st.source()}
}

// Pivot adds the point of no return: before it a failure undoes the run, after it steps are
// retried, and the run is stuck where that does not help. The default rule after it is [Forward].
func Pivot(f *Flow, opts ...StepOption) {
	f.add(&domain.Node{Kind: domain.KindPivot}, "", "pivot", opts)
}

// Child adds a step that runs another saga to its end. When this run turns back, the child is
// undone through its own undos. The step is named after the child unless [Name] says otherwise.
func Child[In, Out any](f *Flow, s *Saga[In, Out], input func(Scope) In, opts ...StepOption) Ref[Out] {
	node, name := &domain.Node{Kind: domain.KindChild}, ""
	if s != nil {
		node.Saga, node.Version = s.name, s.version
		if namePattern.MatchString(s.name) {
			name = s.name
		}
	}
	st, _ := f.add(node, name, "child", opts)
	switch {
	case s == nil:
		f.b.fail(st.key, "the child saga is nil: define it before this one")
	case s.err != nil:
		f.b.fail(st.key, "its saga, %q v%d, is wrong: see there", s.name, s.version)
		f.b.errs = append(f.b.errs, s.err)
	default:
		f.b.child(st, s)
		st.noReturn = s.noReturn
		node.NoReturn = s.noReturn != ""
	}
	f.b.uses(st.key, reflect.TypeFor[In]())
	f.b.uses(st.key, reflect.TypeFor[Out]())
	f.b.expr(st, valueOf(input), input == nil, "its input function", tryOf(input))
	return Ref[Out]{st.source()}
}

// child records a saga that this one starts, once.
func (b *builder) child(st *step, s AnySaga) {
	name, version := s.SagaName()
	for _, c := range b.children {
		n, v := c.SagaName()
		switch {
		case c == s:
			return
		case n == name && v == version:
			b.fail(st.key, "two sagas are named %q v%d", name, version)
			return
		}
	}
	if name == b.plan.Saga && version == b.plan.Version {
		b.fail(st.key, "the child has this saga's own name and version")
	}
	b.children = append(b.children, s)
}
