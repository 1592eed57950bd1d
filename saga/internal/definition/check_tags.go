package definition

import (
	"cmp"
	"fmt"
	"reflect"

	"github.com/atonehq/atone/saga/internal/payload"
)

// tagSet collects the fields that authors tag in the types of a saga.
type tagSet struct {
	seen           map[reflect.Type]bool
	secret, search []string
	// types are those of the saga's payloads.
	types []*payload.Secrets
	// named are the names that the author gives with the option Secret.
	named []string
}

// uses notes a type of the saga: the JSON names of its fields tagged `atone:"secret"` or
// `atone:"search"`, at any depth, go into the plan. It refuses a type that JSON can't hold, which
// would otherwise fail the first run.
func (b *Builder) uses(path string, t reflect.Type) {
	if b.tags.seen[t] {
		return
	}
	b.tags.types = append(b.tags.types, payload.SecretsOf(t))
	before := len(b.errs)
	b.usesAs(path, "", t, false)
	if why, _ := payload.ReadsBack(t); why != "" && len(b.errs) == before {
		b.fail(path, "its type %v holds %s: use one that JSON writes and reads", t, why)
	}
}

// usesAs does that for a part of a type, which what names. It refuses nothing below a type that
// writes its own JSON.
func (b *Builder) usesAs(path, what string, t reflect.Type, own bool) {
	if b.tags.seen[t] {
		return
	}
	b.tags.seen[t] = true
	own = own || payload.Marshals(t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		b.usesAs(path, what, t.Elem(), own)
	case reflect.Map:
		if k := t.Key(); !own && !payload.IsText(k) {
			b.fail(path, "%sa map key of type %v, which JSON can't hold", cmp.Or(what, "its value has "), k)
		}
		b.usesAs(path, what, t.Elem(), own)
	case reflect.Struct:
		for i := range t.NumField() {
			b.usesField(path, t, t.Field(i), own)
		}
	case reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		if !own {
			b.fail(path, "%sa %v, which JSON can't hold", cmp.Or(what, "its value is "), t)
		}
	}
}

func (b *Builder) usesField(path string, t reflect.Type, f reflect.StructField, own bool) {
	name, written := payload.JSONName(f)
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
