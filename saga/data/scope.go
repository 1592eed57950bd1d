package data

import (
	"maps"
	"strings"

	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/internal/definition"
)

// scope is what can be read at a place of a saga, and where it comes from.
type scope struct {
	names *expr.Scope
	// sources are those of the variables, and of the outputs of steps (steps.NAME).
	sources map[string]*definition.Source
}

// celName is the name that expressions have for a step.
func celName(step string) string { return strings.NewReplacer("-", "_", ".", "_").Replace(step) }

// withVar adds a variable.
func (s *scope) withVar(name string, t *expr.Type, from *definition.Source) *scope {
	own := &scope{s.names.WithVar(name, t), maps.Clone(s.sources)}
	own.sources[name] = from
	return own
}

// inner returns a scope for the steps of a block: what it adds is not seen outside.
func (s *scope) inner() *scope { return &scope{s.names, maps.Clone(s.sources)} }

// addStep adds the output of a step, and returns false where another step has the name.
func (s *scope) addStep(step string, t *expr.Type, always bool, from *definition.Source) bool {
	name := celName(step)
	if s.names.HasStep(name) {
		return false
	}
	s.names = s.names.WithStep(name, t, always)
	s.sources["steps."+name] = from
	return true
}

// adopt takes over the steps that a branch added to what was there before it. taken is told of
// names that another branch has.
func (s *scope) adopt(before, branch *scope, taken func(name string)) {
	for name, src := range branch.sources {
		step, ok := strings.CutPrefix(name, "steps.")
		if _, old := before.sources[name]; !ok || old {
			continue
		}
		if !s.addStepOf(branch, step, src) {
			taken(step)
		}
	}
}

// addStepOf adds a step that another scope has.
func (s *scope) addStepOf(other *scope, name string, src *definition.Source) bool {
	if s.names.HasStep(name) {
		return false
	}
	s.names, s.sources["steps."+name] = s.names.WithStepOf(other.names, name), src
	return true
}
