package definition

import (
	"reflect"

	"github.com/atonehq/atone/domain"
)

// branch runs one of the author's functions over a new block below a step.
func (f *Flow) branch(st *step, kind blockKind, label string, names *nameScope, run func(*Flow)) *block {
	blk := &block{kind: kind, label: label, owner: st, node: &domain.Node{Kind: domain.KindSequence}, names: names}
	st.node.Children = append(st.node.Children, blk.node)
	f.b.call(blk, st.key, func() { run(&Flow{f.b, blk}) })
	return blk
}

// Parallel adds branches that run at once.
func (f *Flow) Parallel(opts []StepOption, branches []func(*Flow)) {
	st, _ := f.add(&domain.Node{Kind: domain.KindParallel}, "", "parallel", opts)
	if len(branches) == 0 {
		f.b.fail(st.key, "it has no branches")
	}
	for i, run := range branches {
		if run == nil {
			f.b.fail(st.key, "branch %d is nil", i+1)
			continue
		}
		errs := len(f.b.errs)
		if blk := f.branch(st, blockParallel, "", f.blk.names, run); blk.count == 0 && len(f.b.errs) == errs {
			f.b.fail(st.key, "branch %d is empty", i+1)
		}
	}
}

// defaultWidth is how many items of an each are under way at once, where the author does not say.
const defaultWidth = 16

// Each adds a step that runs body's steps for every item of a list. s has the types of an item and
// of what body returns, none where that is nothing.
func (f *Flow) Each(name string, s Shape, items Code, body func(*Flow, *Source) *Source, none bool, opts []StepOption) *Source {
	st, _ := f.add(&domain.Node{Kind: domain.KindEach, Concurrency: defaultWidth}, name, "each", opts)
	f.b.shape(st, s)
	f.b.expr(st, items, "its list function")
	if body == nil {
		f.b.fail(st.key, "its body is nil")
		return st.source()
	}
	var out *Source
	errs := len(f.b.errs)
	blk := f.branch(st, blockEach, "", newNameScope(st.key+"/*/", f.blk.names.depth+1), func(inner *Flow) {
		out = body(inner, &Source{kind: fromItem, name: "item", block: inner.blk, index: -1})
	})
	if blk.count == 0 && len(f.b.errs) == errs {
		f.b.fail(st.key, "its body is empty")
	}
	f.b.result(blk, out, none)
	return st.source()
}

// The labels of the branches without a value.
const (
	thenLabel      = "then"
	elseLabel      = "else"
	otherwiseLabel = "otherwise"
)

// If adds a step that runs then where cond holds, else otherwise, which may be nil.
func (f *Flow) If(cond func(Scope) bool, try func(Scope), then, otherwise func(*Flow), opts []StepOption) {
	st, _ := f.add(&domain.Node{Kind: domain.KindSwitch}, "", "if", opts)
	f.b.expr(st, Code{Expression{Choose: func(v Scope) (int, string) {
		switch {
		case cond(v):
			return 0, thenLabel
		case otherwise == nil:
			return -1, elseLabel
		}
		return 1, elseLabel
	}}, try}, "its condition")
	if then == nil {
		f.b.fail(st.key, "then is nil: negate the condition and give its branch as then")
		return
	}
	f.oneBranch(st, thenLabel, then)
	if otherwise != nil {
		st.exhaustive = true
		f.oneBranch(st, elseLabel, otherwise)
	}
}

// oneBranch adds a branch that returns nothing to a switch.
func (f *Flow) oneBranch(st *step, label string, run func(*Flow)) {
	st.node.Cases = append(st.node.Cases, label)
	if run == nil {
		f.b.fail(st.key, "branch %q is nil", label)
		return
	}
	errs := len(f.b.errs)
	if blk := f.branch(st, blockSwitch, label, f.blk.names, run); blk.count == 0 && len(f.b.errs) == errs {
		f.b.fail(st.key, "branch %q is empty: drop it", label)
	}
}

// Case is a branch of a switch: for one value, or, with Otherwise, for every other. One that
// returns something has Returns, else Run.
type Case struct {
	Value     string
	Otherwise bool
	Run       func(*Flow)
	Returns   func(*Flow) *Source
}

// Switch adds a step that runs the case whose value choose returns. nils counts cases that are nil.
func (f *Flow) Switch(choose func(Scope) string, try func(Scope), cases []Case, nils int, opts []StepOption) {
	st, _ := f.add(&domain.Node{Kind: domain.KindSwitch}, "", "switch", opts)
	if nils > 0 {
		f.b.fail(st.key, "a case is nil")
	}
	table := f.newTable(st)
	for _, c := range cases {
		if label, ok := table.take(c); ok {
			f.oneBranch(st, label, c.Run)
		}
	}
	table.finish(choose, try)
}

// Choose is a switch with an output: that of the branch taken, of type t.
func (f *Flow) Choose(name string, t reflect.Type, choose func(Scope) string, try func(Scope), cases []Case, none bool, opts []StepOption) *Source {
	st, _ := f.add(&domain.Node{Kind: domain.KindSwitch}, name, "choose", opts)
	f.b.uses(st.key, t)
	table := f.newTable(st)
	for _, c := range cases {
		if c.Returns == nil {
			f.b.fail(st.key, "branch %q is nil", c.label())
			continue
		}
		label, ok := table.take(c)
		if !ok {
			continue
		}
		st.node.Cases = append(st.node.Cases, label)
		var out *Source
		blk := f.branch(st, blockSwitch, label, f.blk.names, func(inner *Flow) {
			inner.blk.returns = true
			out = c.Returns(inner)
		})
		f.b.result(blk, out, none)
	}
	table.finish(choose, try)
	src := st.source()
	src.kind = fromChoice
	return src
}

func (c Case) label() string {
	if c.Otherwise {
		return otherwiseLabel
	}
	return c.Value
}

// branchTable maps values to branches.
type branchTable struct {
	f         *Flow
	st        *step
	index     map[string]int
	otherwise int
	n         int
}

func (f *Flow) newTable(st *step) *branchTable {
	return &branchTable{f: f, st: st, index: map[string]int{}, otherwise: -1}
}

// take reserves the next branch for a case and returns its label, and reports whether it can be
// reached.
func (t *branchTable) take(c Case) (string, bool) {
	_, dup := t.index[c.Value]
	switch {
	case c.Otherwise && t.otherwise >= 0:
		t.f.b.fail(t.st.key, "unreachable: a second branch for all other values")
		return "", false
	case !c.Otherwise && c.Value == otherwiseLabel:
		t.f.b.fail(t.st.key, "a branch for the value %q: diagrams and audits use that label for all other values", c.Value)
		return "", false
	case !c.Otherwise && dup:
		t.f.b.fail(t.st.key, "unreachable: a second branch for %q", c.Value)
		return "", false
	case c.Otherwise:
		t.otherwise = t.n
		t.st.exhaustive = true
	default:
		t.index[c.Value] = t.n
	}
	t.n++
	return c.label(), true
}

// finish records the expression.
func (t *branchTable) finish(choose func(Scope) string, try func(Scope)) {
	if t.n == 0 {
		t.f.b.fail(t.st.key, "it has no branches")
	}
	t.f.b.expr(t.st, Code{Expression{Choose: func(v Scope) (int, string) {
		value := choose(v)
		if i, ok := t.index[value]; ok {
			return i, value
		}
		return t.otherwise, value
	}}, try}, "its choosing function")
}
