package saga

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
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
// The functions that compute a step's input, choose a branch and so on run when a run reaches
// the step, and once during Define with made-up values (numbers are 1, pointers set, one element
// in each list), to learn which refs they read. They must have no side effects; a panic during
// that trial is ignored.
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
	if s.err = domain.JoinOnce(b.errs...); s.err != nil {
		return s
	}
	s.def = &definition{
		plan:       b.plan,
		code:       b.code,
		actions:    b.actions,
		children:   b.children,
		signals:    b.signals,
		checkInput: fits[In],
		inType:     reflect.TypeFor[In]().String(),
		outType:    reflect.TypeFor[Out]().String(),
		plans:      b.plans,
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
		return diagram.MermaidError(s.err)
	}
	return diagram.Mermaid(s.def.plan)
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
		spec, bad := b.specOf(a)
		b.plan.OnFailure = spec
		b.failAll("", bad)
	}
}

// Searchable names JSON fields of inputs and outputs that the audit's full-text search covers,
// besides those tagged `atone:"search"`.
func Searchable(fields ...string) Option {
	return func(b *builder) { b.plan.Searchable = append(b.plan.Searchable, fields...) }
}

// Secret names JSON fields of inputs and outputs that views and logs show as redacted, besides
// those tagged `atone:"secret"`. A name selects members of that name at any depth, a dotted path (address.city)
// the member at that path from the root, "*" everything. A name that no type of the saga has is an
// error of the definition, unless one of them may hold any member: a map, an any, raw JSON, a
// type with its own MarshalJSON.
func Secret(fields ...string) Option {
	return func(b *builder) {
		b.plan.Secret = append(b.plan.Secret, fields...)
		b.tags.named = append(b.tags.named, fields...)
	}
}

// Flow is what a definition's functions add steps to, in order. Each function gets its own, and
// uses no other. It is not safe for concurrent use.
type Flow struct {
	b   *builder
	blk *block
}
