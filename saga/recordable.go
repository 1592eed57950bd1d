package saga

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/atonehq/atone/domain/accept"
)

// This file is about values that can't be recorded: those that JSON can't hold, that are too large or too deep, or that
// don't come back from their JSON. An attempt that returned one has done its work all the same (rule 11).

// notRecordable is the error of an attempt that succeeded and whose outcome can't be recorded.
type notRecordable struct{ err error }

// Error implements error.
func (e *notRecordable) Error() string {
	return "it was done, but its outcome can't be recorded: " + e.err.Error()
}

// Unwrap returns the reason.
func (e *notRecordable) Unwrap() error { return e.err }

// recorder writes a handler's result as JSON, or says why it can't be recorded, as a [*notRecordable].
func recorder[T any]() func(v T) (json.RawMessage, error) {
	_, always := readsBack(reflect.TypeFor[T]())
	return func(v T) (raw json.RawMessage, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("writing it as JSON panicked: %v", p)
			}
			if err != nil {
				raw, err = nil, &notRecordable{err}
			}
		}()
		if raw, err = encode(v); err != nil {
			return nil, err
		}
		if err = checkPayload("the output", raw); err != nil {
			return nil, err
		}
		if !always {
			if _, err = decode[T](raw); err != nil {
				return nil, fmt.Errorf("the output does not come back from its JSON: %w", err)
			}
		}
		return raw, accept.Strings("the output", raw, v)
	}
}

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// readsBack says of a type what is known of its values without one: why none that is set comes back from JSON, or,
// where that is empty, whether all do.
func readsBack(t reflect.Type) (never string, always bool) {
	if invisible(t) {
		return fmt.Sprintf("%v, of whose fields JSON sees none: begin their names with capital letters", t), false
	}
	return typeCheck{}.reads(t)
}

// invisible reports whether a type, or what it points to, is a struct that has fields and whose JSON is always {}.
func invisible(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer && !marshals(t) {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || marshals(t) {
		return false
	}
	named := false
	for i := range t.NumField() {
		f := t.Field(i)
		if f.IsExported() || f.Anonymous {
			return false
		}
		named = named || f.Name != "_"
	}
	return named
}

// typeCheck holds the types that it is within.
type typeCheck map[reflect.Type]bool

func (c typeCheck) reads(t reflect.Type) (never string, always bool) {
	if c[t] {
		return "", false // it holds itself: how deep depends on the value
	}
	c[t] = true
	defer delete(c, t)
	if marshals(t) {
		if p := reflect.PointerTo(t); !p.Implements(unmarshaler) && !p.Implements(textUnmarshaler) && t.Kind() == reflect.Interface {
			return fmt.Sprintf("%v, an interface of which JSON does not say what is in it", t), false
		}
		return "", false // its own code decides
	}
	if p := reflect.PointerTo(t); t.Kind() != reflect.Interface && (p.Implements(unmarshaler) || p.Implements(textUnmarshaler)) {
		return "", false // its own code reads what encoding/json wrote
	}
	switch t.Kind() {
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Sprintf("%v, an interface of which JSON does not say what is in it", t), false
		}
		return "", false
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return c.reads(t.Elem())
	case reflect.Map:
		k := t.Key()
		if k.Implements(textMarshaler) && k.Kind() != reflect.String && !reflect.PointerTo(k).Implements(textUnmarshaler) {
			return fmt.Sprintf("a map key of type %v, which is written as text and has no UnmarshalText", k), false
		}
		never, always = c.reads(t.Elem())
		return never, always && !k.Implements(textMarshaler)
	case reflect.Struct:
		return c.fields(t)
	case reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Sprintf("%v, which JSON can't hold", t), false
	}
	return "", true
}

func (c typeCheck) fields(t reflect.Type) (never string, always bool) {
	always = true
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if !f.IsExported() && !f.Anonymous || tag == "-" {
			continue
		}
		_, options, _ := strings.Cut(tag, ",")
		n, a := c.reads(f.Type)
		if n != "" {
			return n, false
		}
		always = always && a && !f.Anonymous && !strings.Contains(options, "string")
	}
	return "", always
}
