package saga

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// tagSet collects the fields that authors tag in the types of a saga.
type tagSet struct {
	seen           map[reflect.Type]bool
	secret, search []string
	// types are those of the saga's payloads.
	types []*typeSecrets
	// named are the names that the author gives with the option Secret.
	named []string
}

func newTagSet() tagSet { return tagSet{seen: map[reflect.Type]bool{}} }

// uses notes a type of the saga: its fields tagged `atone:"secret"` or `atone:"search"`, however
// deep, go into the plan by their JSON names. A type that JSON can't hold is refused here,
// rather than by the first run.
func (b *builder) uses(path string, t reflect.Type) {
	if b.tags.seen[t] {
		return
	}
	b.tags.types = append(b.tags.types, secretsOfType(t))
	before := len(b.errs)
	b.usesAs(path, "", t, false)
	if why, _ := readsBack(t); why != "" && len(b.errs) == before {
		b.fail(path, "its type %v holds %s: use one that JSON writes and reads", t, why)
	}
}

// usesAs does that for a part of a type; what says which. Nothing is refused below a type that
// writes its own JSON.
func (b *builder) usesAs(path, what string, t reflect.Type, own bool) {
	if b.tags.seen[t] {
		return
	}
	b.tags.seen[t] = true
	own = own || marshals(t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		b.usesAs(path, what, t.Elem(), own)
	case reflect.Map:
		if k := t.Key(); !own && !isText(k) {
			b.fail(path, "%sa map key of type %v, which JSON can't hold", orElse(what, "its value has "), k)
		}
		b.usesAs(path, what, t.Elem(), own)
	case reflect.Struct:
		for i := range t.NumField() {
			b.usesField(path, t, t.Field(i), own)
		}
	case reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		if !own {
			b.fail(path, "%sa %v, which JSON can't hold", orElse(what, "its value is "), t)
		}
	}
}

func (b *builder) usesField(path string, t reflect.Type, f reflect.StructField, own bool) {
	name, written := jsonName(f)
	tag, tagged := f.Tag.Lookup("atone")
	if !written {
		if tagged {
			b.fail(path, "field %v.%s is tagged %q but is not written to JSON", t, f.Name, tag)
		}
		return
	}
	switch {
	case !tagged:
	case tag == "secret":
		b.tags.secret = append(b.tags.secret, name)
	case tag == "search":
		b.tags.search = append(b.tags.search, name)
	default:
		b.fail(path, "field %v.%s is tagged `atone:%q`: use secret or search", t, f.Name, tag)
	}
	b.usesAs(path, fmt.Sprintf("struct field %s is ", f.Name), f.Type, own)
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// marshals reports whether a type writes its own JSON.
func marshals(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Implements(marshaler) || t.Implements(textMarshaler) || p.Implements(marshaler) || p.Implements(textMarshaler)
}

// isText reports whether a type can be the key of a JSON object.
func isText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true
	}
	return t.Implements(textMarshaler)
}

func sortedUnion(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
