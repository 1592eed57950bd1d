package saga

import (
	"encoding/json"
	"fmt"
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

// Parallel adds branches that run at once; the step is done when all are. When one fails, the
// others are cancelled, awaited, and undone where they did, or may have done, their effect. What
// the branches' steps return may be read after the Parallel, not in the branches beside.
func Parallel(f *Flow, branches ...func(*Flow)) { ParallelWith(f, nil, branches...) }

// ParallelWith is [Parallel] with options: [Name], [Concurrency].
func ParallelWith(f *Flow, opts []StepOption, branches ...func(*Flow)) {
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

// Each adds a step that runs body's steps for every item of a list, up to 16 items at once (see
// [Concurrency]). Its output are the items' outputs in the order of the list. When an item fails,
// beyond those that [Tolerate] allows, the run turns back.
//
// Steps in the body are addressed by the item's index: ship/3/label. The list is recorded when
// the step is reached. An empty list is an empty output.
func Each[T, R any](f *Flow, name string, items func(Scope) []T, body func(f *Flow, item Ref[T]) Ref[R], opts ...StepOption) EachRef[R] {
	st, _ := f.add(&domain.Node{Kind: domain.KindEach, Concurrency: defaultWidth}, name, "each", opts)
	f.b.uses(st.key, reflect.TypeFor[T]())
	f.b.uses(st.key, reflect.TypeFor[R]())
	f.b.expr(st, expression{items: itemsOf(items)}, items == nil, "its list function", tryOf(items))
	if body == nil {
		f.b.fail(st.key, "its body is nil")
		return EachRef[R]{Ref[[]R]{st.source()}}
	}
	var out *source
	errs := len(f.b.errs)
	blk := f.branch(st, blockEach, "", newNameScope(st.key+"/*/", f.blk.names.depth+1), func(inner *Flow) {
		out = body(inner, Ref[T]{&source{kind: fromItem, name: "item", block: inner.blk, index: -1}}).src
	})
	if blk.count == 0 && len(f.b.errs) == errs {
		f.b.fail(st.key, "its body is empty")
	}
	f.b.result(blk, out, reflect.TypeFor[R]() == reflect.TypeFor[None]())
	return EachRef[R]{Ref[[]R]{st.source()}}
}

// itemsOf wraps a typed list function.
func itemsOf[T any](items func(Scope) []T) func(Scope) ([]json.RawMessage, error) {
	return func(v Scope) ([]json.RawMessage, error) {
		list := items(v)
		out := make([]json.RawMessage, len(list))
		for i, it := range list {
			raw, err := encode(it)
			if err != nil {
				return nil, fmt.Errorf("item %d: %w", i, err)
			}
			out[i] = raw
		}
		return out, nil
	}
}

// defaultWidth is how many items of an Each are under way at once, where the author does not say.
const defaultWidth = 16

// If adds a step that runs then where cond holds, else otherwise, which may be nil.
func If(f *Flow, cond func(Scope) bool, then, otherwise func(*Flow), opts ...StepOption) {
	node := &domain.Node{Kind: domain.KindSwitch}
	st, _ := f.add(node, "", "if", opts)
	f.b.expr(st, expression{choose: func(v Scope) (int, string) {
		switch {
		case cond(v):
			return 0, thenLabel
		case otherwise == nil:
			return -1, elseLabel
		}
		return 1, elseLabel
	}}, cond == nil, "its condition", tryOf(cond))
	if then == nil {
		f.b.fail(st.key, "then is nil: turn the condition round")
		return
	}
	f.oneBranch(st, thenLabel, then)
	if otherwise != nil {
		st.exhaustive = true
		f.oneBranch(st, elseLabel, otherwise)
	}
}

// oneBranch adds a branch without a value to a switch.
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

// The labels of the branches that are for no one value.
const (
	thenLabel      = domain.CaseThen
	elseLabel      = domain.CaseElse
	otherwiseLabel = domain.CaseOtherwise
)

// SwitchPart is a case of a [Switch], or an option of it; see [When] and [Otherwise].
type SwitchPart interface{ switchPart() }

type switchCase struct {
	value     string
	otherwise bool
	run       func(*Flow)
}

func (switchCase) switchPart() {}

// When is the case of a [Switch] for one value.
func When(value string, branch func(*Flow)) SwitchPart { return switchCase{value: value, run: branch} }

// Otherwise is the case of a [Switch] for every other value.
func Otherwise(branch func(*Flow)) SwitchPart {
	return switchCase{value: otherwiseLabel, otherwise: true, run: branch}
}

// Switch adds a step that runs the one case whose value choose returns, or [Otherwise], or,
// where there is none, nothing. [Name] may stand among the cases.
func Switch(f *Flow, choose func(Scope) string, cases ...SwitchPart) {
	var opts []StepOption
	var branches []switchCase
	nils := 0
	for _, c := range cases {
		switch c := c.(type) {
		case StepOption:
			opts = append(opts, c)
		case switchCase:
			branches = append(branches, c)
		default:
			nils++
		}
	}
	st, _ := f.add(&domain.Node{Kind: domain.KindSwitch}, "", "switch", opts)
	if nils > 0 {
		f.b.fail(st.key, "a case is nil")
	}
	table := f.newTable(st)
	for _, c := range branches {
		if table.take(c.value, c.otherwise) {
			f.oneBranch(st, c.value, c.run)
		}
	}
	table.finish(choose)
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

// take reserves the next branch for a value, and reports whether it can be reached.
func (t *branchTable) take(value string, otherwise bool) bool {
	_, dup := t.index[value]
	switch {
	case otherwise && t.otherwise >= 0:
		t.f.b.fail(t.st.key, "unreachable: a second branch for all other values")
		return false
	case !otherwise && value == otherwiseLabel:
		t.f.b.fail(t.st.key, "a branch for the value %q: diagrams and audits use that label for all other values", value)
		return false
	case !otherwise && dup:
		t.f.b.fail(t.st.key, "unreachable: a second branch for %q", value)
		return false
	case otherwise:
		t.otherwise = t.n
		t.st.exhaustive = true
	default:
		t.index[value] = t.n
	}
	t.n++
	return true
}

// finish records the expression.
func (t *branchTable) finish(choose func(Scope) string) {
	if t.n == 0 {
		t.f.b.fail(t.st.key, "it has no branches")
	}
	t.f.b.expr(t.st, expression{choose: func(v Scope) (int, string) {
		value := choose(v)
		if i, ok := t.index[value]; ok {
			return i, value
		}
		return t.otherwise, value
	}}, choose == nil, "its choosing function", tryOf(choose))
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
	return Choice[T]{value: otherwiseLabel, otherwise: true, run: branch}
}

// Choose is a [Switch] with an output: that of the branch taken. Without [Else], and for a value
// that no branch is for, the Ref has no value (see [Ref.Ok]).
func Choose[T any](f *Flow, name string, choose func(Scope) string, choices ...Choice[T]) Ref[T] {
	st, _ := f.add(&domain.Node{Kind: domain.KindSwitch}, name, "choose", nil)
	f.b.uses(st.key, reflect.TypeFor[T]())
	table := f.newTable(st)
	for _, c := range choices {
		if c.run == nil {
			f.b.fail(st.key, "branch %q is nil", c.value)
			continue
		}
		if !table.take(c.value, c.otherwise) {
			continue
		}
		st.node.Cases = append(st.node.Cases, c.value)
		var out *source
		blk := f.branch(st, blockSwitch, c.value, f.blk.names, func(inner *Flow) {
			inner.blk.returns = true
			out = c.run(inner).src
		})
		f.b.result(blk, out, reflect.TypeFor[T]() == reflect.TypeFor[None]())
	}
	table.finish(choose)
	src := st.source()
	src.kind = fromChoice
	return Ref[T]{src}
}
