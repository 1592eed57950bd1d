package saga

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Saga is a definition: a plan, and the code of its expressions. It is made by [Define], does
// not change afterwards and is safe for concurrent use.
type Saga[In, Out any] struct {
	name    string
	version int
	def     *definition
	err     error
	// noReturn is the first step after which the saga can't be undone, or empty.
	noReturn string
}

// Define builds a saga: build is called once, now, and what it does to its Flow becomes the
// plan. In is the input's type, Out the output's; the Ref that build returns is the output.
//
// Define does not panic and returns a usable pointer even where the definition is wrong. All
// errors are found at once: [Saga.Err] returns them, and so does whatever the saga is registered
// or started with.
//
// The functions that compute a step's input, choose a branch and so on run when a run
// reaches the step, and once during Define with zero values, to learn which refs they read. They
// must have no side effects; a panic during that trial is ignored.
//
// A saga without output has None for Out, and build returns Ref[None]{}.
func Define[In, Out any](name string, version int, build func(f *Flow, in Ref[In]) Ref[Out], opts ...Option) *Saga[In, Out] {
	s := &Saga[In, Out]{name: name, version: version}
	b := newBuilder(name, version)
	b.uses("input", reflect.TypeFor[In]())
	b.uses("output", reflect.TypeFor[Out]())
	in := &source{block: b.root, index: -1, kind: fromInput, name: "input"}
	var out *source
	if build == nil {
		b.fail("", "it has no build function")
	} else {
		b.call(b.root, "", func() { out = build(&Flow{b, b.root}, Ref[In]{in}).src })
	}
	b.finish(out, reflect.TypeFor[Out]() == reflect.TypeFor[None](), opts)
	s.noReturn = b.noReturn
	if s.err = errors.Join(b.errs...); s.err != nil {
		return s
	}
	s.def = &definition{
		plan:       b.plan,
		code:       b.code,
		actions:    b.actions,
		children:   b.children,
		checkInput: func(raw json.RawMessage) error { _, err := decode[In](raw); return err },
		inType:     reflect.TypeFor[In]().String(),
		outType:    reflect.TypeFor[Out]().String(),
	}
	return s
}

// Name returns the saga's name.
func (s *Saga[In, Out]) Name() string { return s.name }

// Version returns the saga's version.
func (s *Saga[In, Out]) Version() int { return s.version }

// SagaName implements [AnySaga].
func (s *Saga[In, Out]) SagaName() (name string, version int) { return s.name, s.version }

// Err returns every error of the definition, joined; each is a [*DefinitionError]. It is nil
// for a good definition.
func (s *Saga[In, Out]) Err() error { return s.err }

// Plan returns the saga as data. It is shared: it must not be changed.
func (s *Saga[In, Out]) Plan() (*domain.Plan, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.def.plan, nil
}

// Mermaid returns the plan as a Mermaid flowchart, or a diagram of the errors.
func (s *Saga[In, Out]) Mermaid() string {
	if s.err != nil {
		return mermaidError(s.err)
	}
	return Mermaid(s.def.plan)
}

func (s *Saga[In, Out]) compile() (*definition, error) {
	if s == nil {
		return nil, errors.New("saga is nil: define it before it is used")
	}
	return s.def, s.err
}

// DefinitionError is one thing wrong with a definition.
type DefinitionError struct {
	Saga    string
	Version int
	// Path is the step's key in the plan (ship/*/label, with * for an Each's items), empty for
	// the saga as a whole.
	Path   string
	Reason string
}

// Error implements error.
func (e *DefinitionError) Error() string {
	at := ""
	if e.Path != "" {
		at = e.Path + ": "
	}
	return fmt.Sprintf("saga %q v%d: %s%s", e.Saga, e.Version, at, e.Reason)
}

// Option configures a saga as a whole.
type Option func(*builder)

// Deadline bounds every run of the saga, from its start: when it passes before the pivot, the run
// turns back. A start may set its own.
func Deadline(d time.Duration) Option {
	return func(b *builder) {
		b.plan.Deadline = domain.Duration(d)
		if d <= 0 {
			b.fail("", "Deadline is %v: it must be positive", d)
		}
	}
}

// Slow says after how long a run that has not ended is reported as slow.
func Slow(d time.Duration) Option {
	return func(b *builder) {
		b.plan.Slow = domain.Duration(d)
		if d <= 0 {
			b.fail("", "Slow is %v: it must be positive", d)
		}
	}
}

// Description says in the plan what the saga is for.
func Description(s string) Option { return func(b *builder) { b.plan.Description = s } }

// OnFailure names the saga's failure handler. It is run, durably and with its own retries, when a
// run has ended compensated or abandoned, and never changes that end.
func OnFailure(a *Action[Failed, None]) Option {
	return func(b *builder) {
		c := b.action("OnFailure", a)
		if c != nil {
			b.plan.OnFailure = &c.spec
		}
	}
}

// Searchable names JSON fields of inputs and outputs that the audit's full-text search covers,
// besides those tagged `atone:"search"`.
func Searchable(fields ...string) Option {
	return func(b *builder) { b.plan.Searchable = append(b.plan.Searchable, fields...) }
}

// Secret names JSON fields of inputs and outputs that views and logs show as redacted, besides
// those tagged `atone:"secret"`.
func Secret(fields ...string) Option {
	return func(b *builder) { b.plan.Secret = append(b.plan.Secret, fields...) }
}

// Flow is what a definition's functions add steps to, in order. Each function gets its own, and
// uses no other. It is not safe for concurrent use.
type Flow struct {
	b   *builder
	blk *block
}

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
}

// builder collects a definition.
type builder struct {
	plan     *domain.Plan
	root     *block
	code     map[string]expression
	steps    map[*domain.Node]*step
	actions  []*actionCode
	byName   map[string]*actionCode
	badOnes  map[any]bool // actions that did not compile, reported once
	children []AnySaga
	probes   []probe
	tags     tagSet
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
		badOnes: map[any]bool{},
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

// action compiles an action once, and refuses a name that already means another.
func (b *builder) action(path string, a AnyAction) *actionCode {
	c, err := a.compile()
	if err != nil {
		if !b.badOnes[any(a)] {
			b.badOnes[any(a)] = true
			b.fail(path, "%v", err)
		}
		return nil
	}
	for h := c; h != nil; h = h.onFailure {
		known := b.byName[h.spec.Name]
		switch {
		case known == nil:
			b.byName[h.spec.Name] = h
			b.actions = append(b.actions, h)
		case known.identity != h.identity:
			b.fail(path, "two actions are named %q: a name means one action, declared once and shared", h.spec.Name)
		}
		if known != nil {
			break
		}
	}
	return c
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
	b.runProbes()
	b.checkOrder()
	b.plan.Secret = sortedUnion(b.plan.Secret, b.tags.secret)
	b.plan.Searchable = sortedUnion(b.plan.Searchable, b.tags.search)
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
