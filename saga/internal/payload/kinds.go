package payload

import (
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// Marshals reports whether a type writes its own JSON.
func Marshals(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Implements(marshaler) || t.Implements(textMarshaler) || p.Implements(marshaler) || p.Implements(textMarshaler)
}

// IsText reports whether a type can be the key of a JSON object.
func IsText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true
	}
	return t.Implements(textMarshaler)
}

// JSONName returns the name under which encoding/json writes a field, and whether it does.
func JSONName(f reflect.StructField) (name string, written bool) {
	tag := f.Tag.Get("json")
	if !f.IsExported() && !f.Anonymous || tag == "-" {
		return "", false
	}
	name, _, _ = strings.Cut(tag, ",")
	return cmp.Or(name, f.Name), true
}
