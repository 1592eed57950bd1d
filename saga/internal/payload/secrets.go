package payload

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Secrets describes the JSON of a type by its tags and those of all types in it.
type Secrets struct {
	// Names are the members of its JSON that are secret; "*" means that it is secret as a whole.
	Names []string
	// Members are all names that its JSON may have.
	Members []string
	// Opaque means that its JSON may have other members: it holds an any, a map, raw JSON or a
	// type that writes its own JSON.
	Opaque bool
}

// knownSecrets caches results: reflect.Type → *Secrets.
var knownSecrets sync.Map

// SecretsOf reads the tags of a type. It is cheap to call again, and safe to call concurrently.
func SecretsOf(t reflect.Type) *Secrets {
	if t == nil { // of an untyped nil
		return &Secrets{}
	}
	if s, ok := knownSecrets.Load(t); ok {
		return s.(*Secrets)
	}
	w := secretWalk{seen: map[reflect.Type]bool{}}
	w.in(t)
	if hides(t) && !w.writesNames(t) {
		w.Names = append(w.Names, "*") // the names under which it writes its secrets are unknown
	}
	s := &w.Secrets
	s.Names, s.Members = Without(s.Names, nil), Without(s.Members, nil)
	knownSecrets.Store(t, s)
	return s
}

// SecretsOfBoth returns the secret fields of two types, an action's input and output.
func SecretsOfBoth(in, out reflect.Type) *Secrets {
	a, b := SecretsOf(in), SecretsOf(out)
	return &Secrets{Names: Without(slices.Concat(a.Names, b.Names), nil), Members: slices.Concat(a.Members, b.Members), Opaque: a.Opaque || b.Opaque}
}

// writesText reports whether a type writes itself as text, such as a time or an id, and so has no
// members.
func writesText(t reflect.Type) bool {
	return t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textMarshaler)
}

type secretWalk struct {
	Secrets
	seen map[reflect.Type]bool
}

func (w *secretWalk) in(t reflect.Type) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	w.Opaque = w.Opaque || Marshals(t) && !writesText(t) || t.Kind() == reflect.Interface
	switch t.Kind() {
	case reflect.Map:
		w.Opaque = true
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
	name, written := JSONName(f)
	if !written {
		return
	}
	w.Members = append(w.Members, name)
	w.in(f.Type)
	switch {
	case f.Tag.Get("atone") == "secret":
		w.Names = append(w.Names, name)
		if Inlined(f) {
			w.Names = append(w.Names, memberNames(f.Type)...)
		}
	case hides(f.Type):
		// The type writes its own JSON and has secret fields. (A struct that embeds such a type
		// writes its own JSON as well.)
		w.Names = append(w.Names, name)
	}
}

// writesNames reports whether a type that writes its own JSON writes all its secret members by
// name, judged by the JSON of its zero value.
func (w *secretWalk) writesNames(t reflect.Type) (all bool) {
	defer func() {
		if recover() != nil { // the author's code may not handle a zero value
			all = false
		}
	}()
	raw, err := json.Marshal(reflect.New(ownJSON(t)).Interface())
	if err != nil {
		return false
	}
	for _, name := range w.Names {
		if !strings.Contains(string(raw), `"`+name+`":`) {
			return false
		}
	}
	return true
}

// maxNesting bounds how far pointers to pointers and lists of lists are followed: a type may be a
// list of itself.
const maxNesting = 20

// ownJSON returns the type that writes its own JSON: t, or the element type of the pointer, list
// or map t; nil for none.
func ownJSON(t reflect.Type) reflect.Type {
	for range maxNesting {
		if Marshals(t) {
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

// hides reports whether a type writes its own JSON and has secret fields, or holds such a type.
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

// memberNames returns the names of the members that a struct writes, those of structs embedded in
// it too.
func memberNames(t reflect.Type) []string {
	w := secretWalk{seen: map[reflect.Type]bool{}}
	w.in(t)
	return w.Members
}

// Inlined reports whether encoding/json writes a field's members instead of the field.
func Inlined(f reflect.StructField) bool {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return f.Anonymous && name == "" && t.Kind() == reflect.Struct
}
