package expr

import (
	"slices"

	"cel.dev/cel-go/cel"

	"github.com/atonehq/atone/domain"
)

// Level is the level of the language: which functions there are and what they do. A change of what
// an expression computes is another level.
const Level = domain.Language1

// The limits of an expression.
const (
	maxExpression = 8 << 10 // bytes
	maxNesting    = 64
	maxNodes      = 5_000
	maxRegex      = 1_000
	// maxCost bounds an evaluation, in CEL's units: about a second's work on a slow machine.
	maxCost = 2_000_000
	// maxMemory bounds the values that an evaluation holds, in items and characters.
	maxMemory = 16 << 20
)

// Env is the level, with the types of one file. It is not safe for concurrent use; the values that
// it compiles are.
type Env struct {
	base  *cel.Env
	types *provider
	count int
}

// NewEnv returns an environment for a file.
func NewEnv() (*Env, error) {
	p, err := newProvider()
	if err != nil {
		return nil, err
	}
	base, err := cel.NewEnv(append([]cel.EnvOption{
		cel.CustomTypeAdapter(p), cel.CustomTypeProvider(p),
		cel.OptionalTypes(cel.OptionalTypesVersion(2)),
		cel.EnableIdentifierEscapeSyntax(), cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(maxNesting), cel.ExpressionNodeLimit(maxNodes), cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals()),
	}, functions()...)...)
	if err != nil {
		return nil, err
	}
	return &Env{base: base, types: p}, nil
}

// Scope is what an expression can name. It does not change: what adds to it returns another one.
type Scope struct {
	env   *Env
	vars  []Field
	steps []Field
	// own is made when it is first needed.
	own *cel.Env
}

// NewScope returns a scope without names.
func (e *Env) NewScope() *Scope { return &Scope{env: e} }

// WithVar returns the scope with a variable, in place of one of the same name.
func (s *Scope) WithVar(name string, t *Type) *Scope {
	vars := slices.DeleteFunc(slices.Clone(s.vars), func(f Field) bool { return f.Name == name })
	return &Scope{env: s.env, vars: append(vars, Field{Name: name, Type: t, Required: true}), steps: s.steps}
}

// WithStep returns the scope with the output of a step, under the name that expressions have for
// it. It may be absent unless it is always there.
func (s *Scope) WithStep(name string, t *Type, always bool) *Scope {
	steps := append(slices.Clip(s.steps), Field{Name: name, Type: t.Always(), Required: always && !t.Maybe})
	return &Scope{env: s.env, vars: s.vars, steps: steps}
}

// WithStepOf returns the scope with a step of another scope.
func (s *Scope) WithStepOf(other *Scope, name string) *Scope {
	for _, f := range other.steps {
		if f.Name == name {
			return &Scope{env: s.env, vars: s.vars, steps: append(slices.Clip(s.steps), f)}
		}
	}
	return s
}

// HasStep reports whether a step has the name.
func (s *Scope) HasStep(name string) bool {
	return slices.ContainsFunc(s.steps, func(f Field) bool { return f.Name == name })
}

// root returns the type of a variable, or of a step's output (steps.NAME).
func (s *Scope) root(name string) *Type {
	fields := s.vars
	if step, ok := cutStep(name); ok {
		fields, name = s.steps, step
	}
	for _, f := range fields {
		if f.Name == name {
			return f.Type
		}
	}
	return Open
}

// cel returns the scope as CEL has it.
func (s *Scope) cel() (*cel.Env, error) {
	if s.own != nil {
		return s.own, nil
	}
	steps := &Type{Kind: Object, Words: "steps", Fields: s.steps}
	opts := []cel.EnvOption{cel.Variable("steps", s.env.types.celType(steps))}
	for _, v := range s.vars {
		opts = append(opts, cel.Variable(v.Name, s.env.types.celType(v.Type)))
	}
	own, err := s.env.base.Extend(opts...)
	if err != nil {
		return nil, err
	}
	s.own = own
	return own, nil
}
