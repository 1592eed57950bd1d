package definition

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Builder collects a definition and all its errors.
type Builder struct {
	plan     *domain.Plan
	root     *block
	code     map[string]Expression
	steps    map[*domain.Node]*step
	actions  []*Action
	byName   map[string]*Action
	badOnes  map[any]bool // identities of actions that did not compile, reported once
	children []*Definition
	signals  map[string][]Payload
	attempts []attempt
	tags     tagSet
	// plans means that steps are planned at run time, of whatever actions are registered then.
	plans    bool
	noReturn string
	untried  []Untried
	errs     []error
	done     bool
	about    func(json.RawMessage) (About, error)
}

func newBuilder(name string, version int) *Builder {
	b := &Builder{
		plan:    &domain.Plan{Saga: name, Version: version, Root: &domain.Node{Kind: domain.KindSequence}},
		code:    map[string]Expression{},
		steps:   map[*domain.Node]*step{},
		byName:  map[string]*Action{},
		badOnes: map[any]bool{},
		signals: map[string][]Payload{},
		tags:    tagSet{seen: map[reflect.Type]bool{}},
	}
	b.root = &block{node: b.plan.Root, names: newNameScope("", 0)}
	if !ValidName(name) {
		b.fail("", "bad saga name: %s", BadName)
	}
	if version < 1 {
		b.fail("", "version is %d: versions count from 1", version)
	}
	return b
}

// ActionUse is an action that a definition uses: its identity, and its code or its errors.
type ActionUse struct {
	Identity any
	Action   *Action
	Err      error
}

// specOf returns a copy of an action's spec, or a placeholder if the action is wrong, and its
// errors. Errors of an action that is used twice are reported once.
func (b *Builder) specOf(use ActionUse) (*domain.ActionSpec, []string) {
	if use.Err != nil {
		if b.badOnes[use.Identity] {
			return &domain.ActionSpec{Effect: domain.EffectNone}, nil
		}
		b.badOnes[use.Identity] = true
		return &domain.ActionSpec{Effect: domain.EffectNone}, []string{use.Err.Error()}
	}
	var bad []string
	for h := use.Action; h != nil; h = h.OnFailure {
		known := b.byName[h.Spec.Name]
		if known == nil {
			b.byName[h.Spec.Name] = h
			b.actions = append(b.actions, h)
			continue
		}
		if known.Identity != h.Identity {
			bad = append(bad, fmt.Sprintf("two actions are named %q: a name means one action, declared once and shared", h.Spec.Name))
		}
		break
	}
	spec := use.Action.Spec
	return &spec, bad
}

func (b *Builder) failAll(path string, reasons []string) {
	for _, r := range reasons {
		b.fail(path, "%s", r)
	}
}

func (b *Builder) fail(path, format string, args ...any) {
	b.errs = append(b.errs, &domain.DefinitionError{Saga: b.plan.Saga, Version: b.plan.Version, Path: path, Reason: fmt.Sprintf(format, args...)})
}

// call runs one of the author's functions over a block, and turns a panic into an error.
func (b *Builder) call(blk *block, path string, f func()) {
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
