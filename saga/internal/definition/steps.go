package definition

import (
	"cmp"
	"reflect"

	"github.com/atonehq/atone/domain"
)

// Code is an author's function: the expression that calls it, and a function that tries it with
// made-up values. The zero Code means a nil function.
type Code struct {
	Expression
	Try func(Scope)
}

// Shape is the types of a step's input and output that are payloads; one may be nil.
type Shape struct{ In, Out reflect.Type }

// Do adds a step that runs an action. name is the step's default name.
func (f *Flow) Do(name string, a ActionUse, s Shape, input Code, opts []StepOption) *Source {
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
	f.b.shape(st, s)
	f.b.expr(st, input, "its input function")
	return st.source()
}

// Compute adds a step that computes a value.
func (f *Flow) Compute(name string, t reflect.Type, value Code, opts []StepOption) *Source {
	st, _ := f.add(&domain.Node{Kind: domain.KindCompute}, name, "compute", opts)
	f.b.uses(st.key, t)
	f.b.expr(st, value, "its function")
	return st.source()
}

// Return computes the output of the function that it is in.
func (f *Flow) Return(t reflect.Type, value Code) *Source {
	st, _ := f.add(&domain.Node{Kind: domain.KindCompute}, "", "return", nil)
	if f.blk.kind == blockParallel || f.blk.kind == blockSwitch && !f.blk.returns {
		f.b.fail(st.key, "Return in a function that returns nothing: it would not end the saga; use saga.Compute, or saga.Choose for a branch with a value")
	}
	f.blk.ret = st
	f.b.uses(st.key, t)
	f.b.expr(st, value, "its function")
	return st.source()
}

// Reject adds a step that fails the run for good. Nothing comes after it in its block.
func (f *Flow) Reject(reason Code, opts []StepOption) {
	st, _ := f.add(&domain.Node{Kind: domain.KindCompute, Rule: domain.RuleBackward}, "", "reject", opts)
	st.ruled, st.rejects = true, true
	f.blk.rejects = true
	f.b.expr(st, reason, "its function")
}

// Pivot adds the point of no return.
func (f *Flow) Pivot(opts []StepOption) {
	f.add(&domain.Node{Kind: domain.KindPivot}, "", "pivot", opts)
}

// ChildUse is a saga that a definition starts: its definition or its errors. Nil means that the
// author gave a nil saga.
type ChildUse struct {
	Name       string
	Version    int
	Nil        bool
	Definition *Definition
	Err        error
}

// Child adds a step that runs another saga to its end.
func (f *Flow) Child(c ChildUse, s Shape, input Code, opts []StepOption) *Source {
	node, name := &domain.Node{Kind: domain.KindChild, Saga: c.Name, Version: c.Version}, ""
	if ValidName(c.Name) {
		name = c.Name
	}
	st, _ := f.add(node, name, "child", opts)
	switch {
	case c.Nil:
		f.b.fail(st.key, "the child saga is nil: define it before this one")
	case c.Err != nil:
		f.b.fail(st.key, "its saga, %q v%d, is wrong: see there", c.Name, c.Version)
		f.b.errs = append(f.b.errs, c.Err)
	default:
		f.b.child(st, c.Definition)
		st.noReturn = c.Definition.NoReturn
		node.NoReturn = st.noReturn != ""
	}
	f.b.shape(st, s)
	f.b.expr(st, input, "its input function")
	return st.source()
}

// child records a saga that this one starts, once.
func (b *Builder) child(st *step, d *Definition) {
	p := d.Plan
	for _, c := range b.children {
		switch {
		case c == d:
			return
		case c.Plan.Saga == p.Saga && c.Plan.Version == p.Version:
			b.fail(st.key, "two sagas are named %q v%d", p.Saga, p.Version)
			return
		}
	}
	if p.Saga == b.plan.Saga && p.Version == b.plan.Version {
		b.fail(st.key, "the child has this saga's own name and version")
	}
	b.children = append(b.children, d)
}

// defaultRounds is how many rounds a plan may have where the author does not say.
const defaultRounds = 100

// Plan adds a step whose planner says at run time what is done.
func (f *Flow) Plan(name string, planner ActionUse, s Shape, input Code, opts []StepOption) *Source {
	spec, bad := f.b.specOf(planner)
	node := &domain.Node{Kind: domain.KindPlan, Action: spec, MaxRounds: defaultRounds}
	st, conf := f.add(node, name, "plan", opts)
	f.b.plans = true
	f.b.failAll(st.key, bad)
	for _, a := range conf.Uses {
		used, bad := f.b.specOf(a)
		f.b.failAll(st.key, bad)
		if c := f.b.byName[used.Name]; c != nil && c.Unreadable != "" {
			f.b.fail(st.key, "action %s: %s: use a type that JSON writes and reads", used.Name, c.Unreadable)
		}
		if used.Effect == domain.EffectIrreversible {
			st.mayPlan = cmp.Or(st.mayPlan, used.Name)
		}
	}
	f.b.shape(st, s)
	f.b.expr(st, input, "its input function")
	if input.Try != nil {
		// The planner gets it as its input in round 1.
		f.b.code[st.key+"/*/"+domain.PlannerStep] = f.b.code[st.key]
	}
	return st.source()
}
