package data

import (
	"encoding/json"
	"errors"

	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/internal/definition"
)

// bound is a value of a file with what it reads in a run.
type bound struct {
	value   *expr.Value
	sources map[string]*definition.Source
	check   func(json.RawMessage) error // may be nil
}

// bind joins a value with its sources; nil stays nil.
func (s *scope) bind(v *expr.Value, check func(json.RawMessage) error) *bound {
	if v == nil {
		return nil
	}
	b := &bound{v, map[string]*definition.Source{}, check}
	for _, root := range v.Roots() {
		b.sources[root] = s.sources[root]
	}
	return b
}

// try notes what the value reads.
func (b *bound) try(v definition.Scope) {
	for _, root := range b.value.Roots() {
		v.Tries(b.sources[root])
	}
}

// values reads from a run.
func (b *bound) values(v definition.Scope) *expr.Values {
	return &expr.Values{Read: func(root string) (json.RawMessage, bool) { return b.sources[root].Raw(v) }}
}

// code makes the code of a step: a value that is wrong is one that does nothing, because its
// problem was told.
func (b *bound) code(of func(*bound) definition.Expression) definition.Code {
	if b == nil {
		return definition.Code{Try: func(definition.Scope) {}}
	}
	return definition.Code{Try: b.try, Expression: of(b)}
}

// payload is the code that computes a payload, and refuses one that does not fit where it goes.
func (b *bound) payload() definition.Code {
	return b.code(func(b *bound) definition.Expression {
		return definition.Expression{Value: func(v definition.Scope) (json.RawMessage, error) {
			values := b.values(v)
			raw, err := b.value.JSON(values)
			if err != nil || b.check == nil {
				return raw, err
			}
			if err := b.check(raw); err != nil {
				return nil, b.value.Failed(values, err)
			}
			return raw, nil
		}}
	})
}

// failing leaves an expression whose result has no error: its step fails for good.
func failing[T any](value T, err error) T {
	if err != nil {
		panic(&definition.FailedError{Err: err})
	}
	return value
}

// fits makes the check of a payload's type.
func fits(p definition.Payload) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var unfit error
		if p.Check != nil {
			unfit = p.Check(raw)
		}
		return errors.Join(p.Complete("value", raw), unfit)
	}
}
