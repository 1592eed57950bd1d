package saga

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// typeSecrets is what the tags of a type, and of all types in it, say of its JSON.
type typeSecrets struct {
	// names are the members of its JSON that are secret; "*" means that it is secret as a whole.
	names []string
	// members are all names that its JSON may have.
	members []string
	// opaque means that its JSON may have others: it holds an any, a map, raw JSON or a type that writes its own.
	opaque bool
}

// knownSecrets holds what was found of types: reflect.Type → *typeSecrets.
var knownSecrets sync.Map

// secretsOfType reads the tags of a type. It is cheap to call again, and safe to call concurrently.
func secretsOfType(t reflect.Type) *typeSecrets {
	if t == nil { // of an untyped nil
		return &typeSecrets{}
	}
	if s, ok := knownSecrets.Load(t); ok {
		return s.(*typeSecrets)
	}
	w := secretWalk{seen: map[reflect.Type]bool{}}
	w.in(t)
	if hides(t) && !w.writesNames(t) {
		w.names = append(w.names, "*") // nobody knows under which names it writes its secrets
	}
	s := &w.typeSecrets
	s.names, s.members = without(s.names, nil), without(s.members, nil)
	knownSecrets.Store(t, s)
	return s
}

// writesText reports whether a type writes itself as text, and so no member: a time, an id.
func writesText(t reflect.Type) bool {
	return t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textMarshaler)
}

type secretWalk struct {
	typeSecrets
	seen map[reflect.Type]bool
}

func (w *secretWalk) in(t reflect.Type) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	w.opaque = w.opaque || marshals(t) && !writesText(t) || t.Kind() == reflect.Interface
	switch t.Kind() {
	case reflect.Map:
		w.opaque = true
		w.in(t.Elem())
	case reflect.Pointer, reflect.Slice, reflect.Array:
		w.in(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			w.field(t.Field(i))
		}
	}
}

func (w *secretWalk) field(f reflect.StructField) {
	name, written := jsonName(f)
	if !written {
		return
	}
	w.members = append(w.members, name)
	w.in(f.Type)
	switch {
	case f.Tag.Get("atone") == "secret":
		w.names = append(w.names, name)
		if inlined(f) {
			w.names = append(w.names, memberNames(f.Type)...)
		}
	case hides(f.Type):
		// Its type writes its own JSON, and says that some of it is secret. (A struct that embeds such a type
		// writes its own as well.)
		w.names = append(w.names, name)
	}
}

// writesNames reports whether the JSON of a type that writes its own has all the members that are secret in it, by the
// JSON of its zero value.
func (w *secretWalk) writesNames(t reflect.Type) (all bool) {
	defer func() {
		if recover() != nil { // it is the author's code, with a value that no author made
			all = false
		}
	}()
	raw, err := json.Marshal(reflect.New(ownJSON(t)).Interface())
	if err != nil {
		return false
	}
	for _, name := range w.names {
		if !strings.Contains(string(raw), `"`+name+`":`) {
			return false
		}
	}
	return true
}

// maxNesting bounds how far pointers to pointers and lists of lists are followed: a type may be a list of itself.
const maxNesting = 20

// ownJSON returns the type that writes its own JSON: t, or what t is a pointer to, a list or a map of; nil for none.
func ownJSON(t reflect.Type) reflect.Type {
	for range maxNesting {
		if marshals(t) {
			return t
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		default:
			return nil
		}
	}
	return nil
}

// hides reports whether a type writes its own JSON, or holds one that does, and that has secret fields.
func hides(t reflect.Type) bool {
	t = ownJSON(t)
	return t != nil && tagged(t, map[reflect.Type]bool{})
}

// tagged reports whether a struct, or what is in it, has a secret field.
func tagged(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return tagged(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("atone") == "secret" || tagged(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// memberNames returns the names of the members that a struct writes, those of structs embedded in it too.
func memberNames(t reflect.Type) []string {
	w := secretWalk{seen: map[reflect.Type]bool{}}
	w.in(t)
	return w.members
}

// inlined reports whether encoding/json writes a field's members in the place of the field.
func inlined(f reflect.StructField) bool {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return f.Anonymous && name == "" && t.Kind() == reflect.Struct
}

// jsonName returns the name under which encoding/json writes a field, and whether it does.
func jsonName(f reflect.StructField) (name string, written bool) {
	tag := f.Tag.Get("json")
	if !f.IsExported() && !f.Anonymous || tag == "-" {
		return "", false
	}
	name, _, _ = strings.Cut(tag, ",")
	return orElse(name, f.Name), true
}
