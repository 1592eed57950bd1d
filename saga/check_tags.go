package saga

import (
	"reflect"
	"slices"
	"strings"
)

// tagSet collects the fields that authors tag in the types of a saga.
type tagSet struct {
	seen           map[reflect.Type]bool
	secret, search []string
}

func newTagSet() tagSet { return tagSet{seen: map[reflect.Type]bool{}} }

// uses notes a type of the saga: its fields tagged `atone:"secret"` or `atone:"search"`, however
// deep, go into the plan by their JSON names.
func (b *builder) uses(path string, t reflect.Type) {
	if b.tags.seen[t] {
		return
	}
	b.tags.seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		b.uses(path, t.Elem())
		return
	case reflect.Map:
		b.uses(path, t.Key())
		b.uses(path, t.Elem())
		return
	case reflect.Struct:
	default:
		return
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		tag, tagged := f.Tag.Lookup("atone")
		if !f.IsExported() && !f.Anonymous || name == "-" {
			if tagged {
				b.fail(path, "field %v.%s is tagged %q but is not written to JSON", t, f.Name, tag)
			}
			continue
		}
		switch name = orElse(name, f.Name); {
		case !tagged:
		case tag == "secret":
			b.tags.secret = append(b.tags.secret, name)
		case tag == "search":
			b.tags.search = append(b.tags.search, name)
		default:
			b.fail(path, "field %v.%s is tagged `atone:%q`: use secret or search", t, f.Name, tag)
		}
		b.uses(path, f.Type)
	}
}

func sortedUnion(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
