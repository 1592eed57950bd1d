package saga

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/machine"
)

// blockKind says what a block is for, which decides who may see its refs.
type blockKind uint8

const (
	blockRoot blockKind = iota
	blockParallel
	blockSwitch
	blockEach
)

// block is a function's worth of steps, one after the other.
type block struct {
	kind  blockKind
	label string
	owner *step // nil for the root
	node  *domain.Node
	names *nameScope
	count int   // steps added
	ret   *step // its Return
	// returns is set for a branch whose function returns a value.
	returns bool
	// open is set while its function runs, inner while a function inside that one runs.
	open, inner bool
}

// nameScope is what names are unique in.
type nameScope struct {
	prefix string
	depth  int // number of eaches around
	steps  map[string]*step
	auto   map[string]int
}

// step is a node while it is being defined.
type step struct {
	node *domain.Node
	key  string
	blk  *block
	// index is its place in the block.
	index int
	// ruled is set where the author named the rule.
	ruled bool
	// exhaustive is set for a switch that always takes a branch.
	exhaustive bool
	// noReturn is, for a child, the step after which it can't be undone.
	noReturn string
	// mayPlan is, for a plan, an irreversible action among those that it uses.
	mayPlan string
}

// builder collects a definition.
type builder struct {
	plan     *domain.Plan
	root     *block
	code     map[string]expression
	steps    map[*domain.Node]*step
	actions  []*actionCode
	byName   map[string]*actionCode
	badOnes  map[AnyAction]bool // actions that did not compile, reported once
	children []AnySaga
	signals  map[string][]payloadType
	probes   []probe
	tags     tagSet
	// plans means that steps are planned at run time, of whatever actions are registered then.
	plans    bool
	noReturn string
	errs     []error
	done     bool
}

func newBuilder(name string, version int) *builder {
	b := &builder{
		plan:    &domain.Plan{Saga: name, Version: version, Root: &domain.Node{Kind: domain.KindSequence}},
		code:    map[string]expression{},
		steps:   map[*domain.Node]*step{},
		byName:  map[string]*actionCode{},
		badOnes: map[AnyAction]bool{},
		signals: map[string][]payloadType{},
		tags:    newTagSet(),
	}
	b.root = &block{node: b.plan.Root, names: newNameScope("", 0)}
	if !namePattern.MatchString(name) {
		b.fail("", "bad saga name: use 1 to 100 letters, digits, '-', '_' or '.', beginning with a letter or digit")
	}
	if version < 1 {
		b.fail("", "version is %d: versions count from 1", version)
	}
	return b
}

func newNameScope(prefix string, depth int) *nameScope {
	return &nameScope{prefix: prefix, depth: depth, steps: map[string]*step{}, auto: map[string]int{}}
}

func (b *builder) failAll(path string, reasons []string) {
	for _, r := range reasons {
		b.fail(path, "%s", r)
	}
}

func (b *builder) fail(path, format string, args ...any) {
	b.errs = append(b.errs, &DefinitionError{b.plan.Saga, b.plan.Version, path, fmt.Sprintf(format, args...)})
}

// call runs one of the author's functions over a block, and turns a panic into an error.
func (b *builder) call(blk *block, path string, f func()) {
	blk.open = true
	outer := blk.owner
	if outer != nil {
		outer.blk.inner = true
	}
	defer func() {
		blk.open = false
		if outer != nil {
			outer.blk.inner = false
		}
		if r := recover(); r != nil {
			b.fail(path, "its function panicked%s: %v", panicSite(), r)
		}
	}()
	f()
}

// panicSite says where the panic being recovered came from.
func panicSite() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	panicked := false
	for {
		f, more := frames.Next()
		if panicked && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf(" at %s:%d", f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
		panicked = panicked || f.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}

// specOf compiles an action and returns a copy of its spec, a stand-in where it is wrong, and
// what is wrong; a fault of an action used twice is told once.
func (b *builder) specOf(a AnyAction) (*domain.ActionSpec, []string) {
	c, err := a.compile()
	if err != nil {
		if b.badOnes[a] {
			return &domain.ActionSpec{Effect: domain.EffectNone}, nil
		}
		b.badOnes[a] = true
		return &domain.ActionSpec{Effect: domain.EffectNone}, []string{err.Error()}
	}
	var bad []string
	for h := c; h != nil; h = h.onFailure {
		known := b.byName[h.spec.Name]
		if known == nil {
			b.byName[h.spec.Name] = h
			b.actions = append(b.actions, h)
			continue
		}
		if known.identity != h.identity {
			bad = append(bad, fmt.Sprintf("two actions are named %q: a name means one action, declared once and shared", h.spec.Name))
		}
		break
	}
	spec := c.spec
	return &spec, bad
}

// finish takes the output, runs all checks and indexes the plan.
func (b *builder) finish(out *source, none bool, opts []Option) {
	b.result(b.root, out, none)
	for _, o := range opts {
		if o != nil {
			o(b)
		}
	}
	if b.root.count == 0 && len(b.errs) == 0 {
		b.fail("", "it has no steps")
	}
	b.checkTexts()
	b.runProbes(trialLimit)
	b.checkOrder()
	b.plan.Secret = sortedUnion(b.plan.Secret, b.tags.secret)
	b.plan.Searchable = sortedUnion(b.plan.Searchable, b.tags.search)
	b.hide()
	for _, name := range b.plan.Secret {
		if slices.Contains(b.plan.Searchable, name) {
			b.fail("", "field %q is both secret and searchable: a search would give it away", name)
		}
	}
	b.done = true
	if err := b.plan.Index(); err != nil {
		b.fail("", "%v", err)
	}
}

// result makes a source the output of a block.
func (b *builder) result(blk *block, out *source, none bool) {
	path := ""
	if blk.owner != nil {
		path = blk.owner.key
	}
	end := &step{blk: blk, index: blk.count, key: path}
	switch {
	case out == nil && (none || len(b.errs) > 0):
		return
	case out == nil:
		b.fail(path, "its function returns a Ref that no step made: return a step's Ref or saga.Return(…)")
		return
	case blk.ret != nil && out.step != blk.ret:
		b.fail(blk.ret.key, "the Ref of Return is not what its function returns: return it, or use saga.Compute")
		return
	}
	if why := out.hiddenFrom(end); why != "" {
		b.fail(path, "returns the output of %s, %s", out.path(), why)
		return
	}
	switch {
	case out.step != nil && out.step == blk.ret && blk == b.root:
		b.plan.Returns = true
		b.code[returnKey] = b.code[out.step.key]
		delete(b.code, out.step.key)
		blk.node.Children = blk.node.Children[:len(blk.node.Children)-1]
	case out.kind == fromStep && out.block.names == blk.names:
		blk.node.Result = out.name
	case blk == b.root:
		b.plan.Returns = true
		b.code[returnKey] = expression{value: out.rawValue}
	default:
		st := (&Flow{b, blk}).addClosed(domain.KindCompute, "return")
		b.code[st.key] = expression{value: out.rawValue}
		blk.node.Result = st.node.Name
	}
}

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
	f.b.failAll(st.key, bad)
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
func (b *builder) expr(st *step, e expression, missing bool, what string, try func(Scope)) {
	if missing {
		b.fail(st.key, "%s is nil", what)
		return
	}
	b.code[st.key] = e
	b.probes = append(b.probes, probe{st, try})
}

// checkTexts refuses texts that the plan would not hold as they are: its hash, by which a run finds it again, would
// be another after it was read.
func (b *builder) checkTexts() {
	if err := accept.Text("the description", b.plan.Description); err != nil {
		b.fail("", "%v", err)
	}
	for _, name := range append(slices.Clone(b.plan.Secret), b.plan.Searchable...) {
		if err := accept.Name("a field's name", name, accept.MaxName); err != nil {
			b.fail("", "%v", err)
		}
	}
	b.plan.Root.Walk(func(n *domain.Node) {
		path := ""
		if st := b.steps[n]; st != nil {
			path = st.key
		}
		for _, text := range append([]string{n.Accepted}, n.Cases...) {
			if err := accept.Text("a text of the step", text); err != nil {
				b.fail(path, "%v", err)
			}
		}
	})
}
