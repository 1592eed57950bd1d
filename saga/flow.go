package saga

import (
	"errors"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Saga is a definition: a plan, and the code of its expressions. It is made by [Define], does
// not change afterwards and is safe for concurrent use.
type Saga[In, Out any] struct {
	name    string
	version int
	def     *definition.Definition
	err     error
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
// in each list), to learn which refs they read. They must have no side effects. A panic during
// that trial is listed in [SagaInfo]: nothing is known of what the function reads after it.
//
// A saga without output has None for Out, and build returns Ref[None]{}.
func Define[In, Out any](name string, version int, build func(f *Flow, in Ref[In]) Ref[Out], opts ...Option) *Saga[In, Out] {
	types := definition.Types{In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](), CheckIn: payload.Fits[In], CheckOut: payload.Fits[Out],
		NoOutput: isNone[Out]()}
	var steps func(*definition.Flow, *definition.Source) *definition.Source
	if build != nil {
		steps = func(f *definition.Flow, in *definition.Source) *definition.Source {
			return build(&Flow{f}, Ref[In]{in}).src
		}
	}
	s := &Saga[In, Out]{name: name, version: version}
	s.def, s.err = definition.Define(name, version, types, steps, func(b *definition.Builder) {
		for _, o := range opts {
			if o.apply != nil {
				o.apply(b)
			}
		}
	})
	return s
}

func isNone[T any]() bool { return reflect.TypeFor[T]() == reflect.TypeFor[None]() }

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
	return s.def.Plan, nil
}

// Mermaid returns the plan as a Mermaid flowchart, or a diagram of the errors.
func (s *Saga[In, Out]) Mermaid() string {
	if s.err != nil {
		return diagram.MermaidError(s.err)
	}
	return diagram.Mermaid(s.def.Plan)
}

func (s *Saga[In, Out]) compile() (*definition.Definition, error) {
	if s == nil {
		return nil, errors.New("saga is nil: define it before it is used")
	}
	return s.def, s.err
}

// AnySaga is a saga of whatever types. Only *Saga implements it.
type AnySaga interface {
	// SagaName returns the name and version.
	SagaName() (name string, version int)
	compile() (*definition.Definition, error)
}

// DefinitionError is one thing wrong with a definition.
type DefinitionError = domain.DefinitionError

// Option configures a saga as a whole.
type Option struct{ apply func(*definition.Builder) }

// Deadline bounds every run of the saga, from its start: when it passes before the pivot, the run
// turns back. A start may set its own.
func Deadline(d time.Duration) Option {
	return Option{func(b *definition.Builder) { b.SetDeadline(d) }}
}

// Slow says after how long a run that has not ended is reported as slow.
func Slow(d time.Duration) Option {
	return Option{func(b *definition.Builder) { b.SetSlow(d) }}
}

// Description says in the plan what the saga is for.
func Description(s string) Option {
	return Option{func(b *definition.Builder) { b.SetDescription(s) }}
}

// OnFailure names the saga's failure handler. It is run, durably and with its own retries, when a
// run has ended compensated or abandoned, and never changes that end.
func OnFailure(a *Action[Failed, None]) Option {
	return Option{func(b *definition.Builder) { b.SetOnFailure(used(a)) }}
}

// Searchable names JSON fields of inputs and outputs that the audit's full-text search covers,
// besides those tagged `atone:"search"`.
func Searchable(fields ...string) Option {
	return Option{func(b *definition.Builder) { b.AddSearchable(fields...) }}
}

// Secret names JSON fields of inputs and outputs that views and logs show as redacted, besides
// those tagged `atone:"secret"`. A name selects members of that name at any depth, a dotted path
// (address.city) the member at that path from the root, "*" everything. A name that no type of the
// saga has is an error of the definition, unless one of them may hold any member: a map, an any,
// raw JSON, a type with its own MarshalJSON.
func Secret(fields ...string) Option {
	return Option{func(b *definition.Builder) { b.AddSecret(fields...) }}
}

// Flow is what a definition's functions add steps to, in order. Each function gets its own, and
// uses no other. It is not safe for concurrent use.
type Flow struct{ in *definition.Flow }
