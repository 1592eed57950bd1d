package payload

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// ReadsBack checks a type without a value. why says why no set value of the type comes back from
// JSON; if it is empty, the second result says whether all do.
func ReadsBack(t reflect.Type) (never string, always bool) {
	if invisible(t) {
		return fmt.Sprintf("%v, of whose fields JSON sees none: begin their names with capital letters", t), false
	}
	return typeCheck{}.reads(t)
}

// invisible reports whether a type, or what it points to, is a struct that has fields and whose
// JSON is always {}.
func invisible(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer && !Marshals(t) {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || Marshals(t) {
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

// typeCheck holds the types around the one being checked.
type typeCheck map[reflect.Type]bool

func (c typeCheck) reads(t reflect.Type) (never string, always bool) {
	if c[t] {
		return "", false // a recursive type: its depth depends on the value
	}
	c[t] = true
	defer delete(c, t)
	if Marshals(t) {
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
