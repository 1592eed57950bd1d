package saga

import (
	"errors"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/saga/internal/definition"
)

// Saga is a definition: a plan, and the code of its expressions. It is made by [Define], does
// not change afterwards and is safe for concurrent use.
type Saga[In, Out any] struct {
	name    string
	version int
	def     *definition.Definition
	err     error
}

// Define builds a saga. It calls build once, at once; the steps that build adds to its Flow become
// the plan. In is the input's type, Out the output's; the Ref that build returns is the output.
//
// Define does not panic, and returns a pointer even if the definition is wrong. It finds all errors
// at once: [Saga.Err] returns them, and so do [Coordinator.Register] and [Start].
//
// The functions that compute a step's input, choose a branch and so on run when a run reaches the
// step, and once during Define with made-up values (numbers are 1, pointers set, one element in
// each list), to learn which refs they read. They must have no side effects. [SagaInfo] lists the
// functions that panicked in this trial: their further reads are not checked.
//
// For a saga without an output, Out is None and build returns Ref[None]{}.
func Define[In, Out any](name string, version int, build func(f *Flow, in Ref[In]) Ref[Out], opts ...Option) *Saga[In, Out] {
	types := definition.Types{In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](), Input: definition.PayloadOf[In](), Output: definition.PayloadOf[Out](), NoOutput: isNone[Out]()}
	var steps func(*definition.Flow, *definition.Source) *definition.Source
	if build != nil {
		steps = func(f *definition.Flow, in *definition.Source) *definition.Source {
			return build(&Flow{f}, Ref[In]{in}).src
		}
	}
	def, err := definition.Define(name, version, types, steps, func(b *definition.Builder) {
		for _, o := range opts {
			if o.apply != nil {
				o.apply(b)
			}
		}
	})
	return &Saga[In, Out]{name, version, def, err}
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

// Plan returns the saga as data. Callers share it and must not change it.
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

// AnySaga is a saga with any types. Only *Saga implements it.
type AnySaga interface {
	// SagaName returns the name and version.
	SagaName() (name string, version int)
	compile() (*definition.Definition, error)
}

// DefinitionError is one thing wrong with a definition.
type DefinitionError = domain.DefinitionError

// Option configures a saga as a whole.
type Option struct{ apply func(*definition.Builder) }

// Deadline bounds each run of the saga, counted from its start. When it passes before the pivot,
// the run turns back. [RunDeadline] overrides it for one run.
func Deadline(d time.Duration) Option {
	return Option{func(b *definition.Builder) { b.SetDeadline(d) }}
}

// Slow sets the age at which an unfinished run is reported as slow.
func Slow(d time.Duration) Option {
	return Option{func(b *definition.Builder) { b.SetSlow(d) }}
}

// Description says what the saga is for. It is stored in the plan.
func Description(s string) Option {
	return Option{func(b *definition.Builder) { b.SetDescription(s) }}
}

// OnFailure sets the saga's failure handler. It runs, durably and with its own retries, when a run
// has ended compensated or abandoned, and never changes that end.
func OnFailure(a *Action[Failed, None]) Option {
	return Option{func(b *definition.Builder) { b.SetOnFailure(used(a)) }}
}

// Searchable names JSON fields of inputs and outputs that the audit's full-text search covers,
// besides those tagged `atone:"search"`.
func Searchable(fields ...string) Option {
	return Option{func(b *definition.Builder) { b.AddSearchable(fields...) }}
}

// Secret names JSON fields of inputs and outputs that are redacted wherever they are shown, besides
// those tagged `atone:"secret"`. A name selects members of that name at any depth, a dotted path
// (address.city) the member at that path from the root, "*" everything. A name that no type of the
// saga has is an error of the definition, unless a type may hold any member: a map, an any, raw
// JSON, a type with its own MarshalJSON.
func Secret(fields ...string) Option {
	return Option{func(b *definition.Builder) { b.AddSecret(fields...) }}
}

// Flow collects the steps that a definition's function adds, in order. Each function gets its own
// Flow and must use no other. A Flow is not safe for concurrent use.
type Flow struct{ in *definition.Flow }

// Scope gives an author's function access to its run: [Ref.In] reads the outputs of earlier steps
// from it. It is valid during the call only.
type Scope struct{ in definition.Scope }

// Ref stands for a value that a run will have: the saga's input, an item of an Each, the output of
// a step. Functions that compute later steps' inputs read it with In. [Define] checks where it is
// read: only after its step, not outside the step's branch or Each, and not in a neighbouring
// branch of a Parallel.
type Ref[T any] struct{ src *definition.Source }

// In returns the value in v's run. It is T's zero value for a step that was ignored after a
// failure, skipped by a person or, with [Choose], not chosen; Ok tells these apart. A value that
// can't be read as T, or whose step was never reached, blocks the run until corrected code is
// deployed.
//
// Each call decodes the recorded JSON again. If the body of an [Each] needs a small part of a large
// value, extract that part before the Each, with [Compute].
func (r Ref[T]) In(v Scope) T {
	if v.in.Tries(r.src) {
		return definition.MadeUp[T]()
	}
	return definition.Read[T](r.src, v.in)
}

// Ok reports whether the run has the value: whether the step was done, not ignored or skipped.
func (r Ref[T]) Ok(v Scope) bool {
	if v.in.Tries(r.src) {
		return true
	}
	_, ok := r.src.Raw(v.in)
	return ok
}

// EachRef is the Ref of an Each: the outputs in the order of the items. A tolerated item that
// failed has the zero value.
type EachRef[R any] struct{ Ref[[]R] }

// ItemFailure is a tolerated item of an Each that failed and was undone.
type ItemFailure struct {
	Item  int
	Cause *domain.Failure
}

// Failed returns the items that failed, in order.
func (r EachRef[R]) Failed(v Scope) []ItemFailure {
	if v.in.Tries(r.src) {
		return []ItemFailure{{Cause: &domain.Failure{}}}
	}
	var out []ItemFailure
	for i, cause := range r.src.Failed(v.in) {
		out = append(out, ItemFailure{Item: i, Cause: cause})
	}
	return out
}
