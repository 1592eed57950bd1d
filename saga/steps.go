package saga

import (
	"encoding/json"
	"reflect"
	"strconv"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// reserved names are taken by the machine.
var reserved = map[string]string{
	machine.PlannerStep: "it is the planner of a Plan's round",
	machine.HandlerStep: "it is a step's failure handler",
	returnKey:           "it is the run's output",
}

// add appends a node to the flow's block. It always returns a step, so that the definition
// goes on and all errors are found. name is the default name; where it is none, kind counts.
func (f *Flow) add(node *domain.Node, name, kind string, opts []StepOption) (*step, stepConf) {
	if f.b.done {
		panic("saga: a Flow is used after Define has returned")
	}
	conf, bad := configure(node, opts)
	blk := f.blk
	node.Name = orElse(conf.name, name)
	st := &step{node: node, blk: blk, index: blk.count, ruled: conf.ruled}
	f.b.name(st, kind, conf.name == "" && name == "")
	blk.count++
	blk.node.Children = append(blk.node.Children, node)
	f.b.steps[node] = st
	for _, s := range bad {
		f.b.fail(st.key, "%s", s)
	}
	switch {
	case !blk.open:
		f.b.fail(st.key, "its Flow is used after the function that got it has returned")
	case blk.inner:
		f.b.fail(st.key, "it is added to the enclosing function's Flow: use the inner function's own parameter")
	case blk.ret != nil:
		f.b.fail(st.key, "unreachable: it comes after Return")
	}
	return st, conf
}

// addClosed appends a node of the builder's own to a block whose function has returned.
func (f *Flow) addClosed(kind domain.Kind, auto string) *step {
	f.blk.open = true
	st, _ := f.add(&domain.Node{Kind: kind}, "", auto, nil)
	f.blk.open = false
	return st
}

// name gives the step its name and key, and refuses one that is taken.
func (b *builder) name(st *step, kind string, counted bool) {
	names, node := st.blk.names, st.node
	if counted {
		names.auto[kind]++
		node.Name = kind + "-" + strconv.Itoa(names.auto[kind])
	}
	st.key = names.prefix + node.Name
	switch why, taken := reserved[node.Name]; {
	case taken:
		b.fail(st.key, "the name %q is reserved: %s", node.Name, why)
	case !namePattern.MatchString(node.Name):
		b.fail(st.key, "bad step name %q: use 1 to 100 letters, digits, '-', '_' or '.', beginning with a letter or digit", node.Name)
	case names.steps[node.Name] != nil:
		b.fail(st.key, "two steps are named %q: give one another name with saga.Name", node.Name)
		return
	}
	names.steps[node.Name] = st
}

// source returns what a Ref to the step refers to.
func (st *step) source() *source {
	return &source{name: st.node.Name, block: st.blk, index: st.index, step: st}
}

// expr records the step's expression and has it tried.
func (b *builder) expr(st *step, e expression, missing bool, what string, try func(View)) {
	if missing {
		b.fail(st.key, "%s is nil", what)
		return
	}
	b.code[st.key] = e
	b.probes = append(b.probes, probe{st, try})
}

// valueOf wraps a typed function as an expression that encodes what it returns.
func valueOf[T any](f func(View) T) expression {
	return expression{value: func(v View) (json.RawMessage, error) { return encode(f(v)) }}
}

func tryOf[T any](f func(View) T) func(View) { return func(v View) { f(v) } }

// specOf returns a copy of an action's spec for a node, and a stand-in for an action that is
// wrong.
func (b *builder) specOf(path string, a AnyAction) *domain.ActionSpec {
	c := b.action(path, a)
	if c == nil {
		return &domain.ActionSpec{Effect: domain.EffectNone}
	}
	spec := c.spec
	return &spec
}

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
func Do[In, Out any](f *Flow, a *Action[In, Out], input func(View) In, opts ...StepOption) Ref[Out] {
	name := actionName(a)
	node := &domain.Node{Kind: domain.KindDo, Action: f.b.specOf(f.blk.names.prefix+orElse(name, "do"), a)}
	st, _ := f.add(node, name, "do", opts)
	if node.Accepted != "" && node.Action.Effect != domain.EffectIrreversible {
		f.b.fail(st.key, "AcceptIrreversible: the action's effect is %q, there is nothing to accept", node.Action.Effect)
	}
	f.b.uses(st.key, reflect.TypeFor[In]())
	f.b.uses(st.key, reflect.TypeFor[Out]())
	f.b.expr(st, valueOf(input), input == nil, "its input function", tryOf(input))
	return Ref[Out]{st.source()}
}

// Compute adds a step that computes a value from earlier ones. It is computed once and recorded.
func Compute[T any](f *Flow, name string, value func(View) T, opts ...StepOption) Ref[T] {
	st, _ := f.add(&domain.Node{Kind: domain.KindCompute}, name, "compute", opts)
	f.b.uses(st.key, reflect.TypeFor[T]())
	f.b.expr(st, valueOf(value), value == nil, "its function", tryOf(value))
	return Ref[T]{st.source()}
}

// Return computes the output of the function that it is in: that given to [Define], the body of an
// [Each], or a branch of a [Choose]. It is the last thing in it, and its Ref is what the
// function returns.
func Return[T any](f *Flow, value func(View) T) Ref[T] {
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
func Child[In, Out any](f *Flow, s *Saga[In, Out], input func(View) In, opts ...StepOption) Ref[Out] {
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
		f.b.fail(st.key, "its saga is wrong: %v", s.err)
	default:
		f.b.child(st, s)
		st.noReturn = s.noReturn
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
