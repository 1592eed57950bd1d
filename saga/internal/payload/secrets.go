package payload

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Secrets is what the tags of a type, and of all types in it, say of its JSON.
type Secrets struct {
	// Names are the members of its JSON that are secret; "*" means that it is secret as a whole.
	Names []string
	// Members are all names that its JSON may have.
	Members []string
	// Opaque means that its JSON may have others: it holds an any, a map, raw JSON or a type that
	// writes its own.
	Opaque bool
}

// knownSecrets holds what was found of types: reflect.Type → *Secrets.
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
		w.Names = append(w.Names, "*") // nobody knows under which names it writes its secrets
	}
	s := &w.Secrets
	s.Names, s.Members = Without(s.Names, nil), Without(s.Members, nil)
	knownSecrets.Store(t, s)
	return s
}

// SecretsOfBoth returns what two types keep secret: those of an action's input and output.
func SecretsOfBoth(in, out reflect.Type) *Secrets {
	a, b := SecretsOf(in), SecretsOf(out)
	return &Secrets{Names: Without(slices.Concat(a.Names, b.Names), nil), Members: slices.Concat(a.Members, b.Members), Opaque: a.Opaque || b.Opaque}
}

// writesText reports whether a type writes itself as text, and so no member: a time, an id.
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
		if inlined(f) {
			w.Names = append(w.Names, memberNames(f.Type)...)
		}
	case hides(f.Type):
		// Its type writes its own JSON, and says that some of it is secret. (A struct that embeds
		// such a type writes its own as well.)
		w.Names = append(w.Names, name)
	}
}

// writesNames reports whether the JSON of a type that writes its own has all the members that are
// secret in it, by the JSON of its zero value.
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

// ownJSON returns the type that writes its own JSON: t, or what t is a pointer to, a list or a map
// of; nil for none.
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

// hides reports whether a type writes its own JSON, or holds one that does, and that has secret
// fields.
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

// inlined reports whether encoding/json writes a field's members in the place of the field.
func inlined(f reflect.StructField) bool {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return f.Anonymous && name == "" && t.Kind() == reflect.Struct
}
