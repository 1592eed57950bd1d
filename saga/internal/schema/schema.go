package schema

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"sync"

	"github.com/atonehq/atone/saga/internal/payload"
)

// known caches schemas: reflect.Type → json.RawMessage.
var known sync.Map

// Of returns the JSON Schema of a type. It is cheap to call again, and safe to call concurrently.
// The bytes are shared: they must not be changed.
func Of(t reflect.Type) json.RawMessage {
	if t == nil { // of an untyped nil
		return json.RawMessage(`{}`)
	}
	if s, ok := known.Load(t); ok {
		return s.(json.RawMessage) //nolint:forcetypeassert // it holds nothing else
	}
	w := walk{names: map[reflect.Type]string{}, open: map[reflect.Type]bool{}, recursive: map[reflect.Type]bool{}, left: maxParts}
	root := w.of(t)
	if len(w.defs) > 0 {
		root.set("$defs", w.defs)
	}
	raw, err := payload.Marshal(root)
	if err != nil {
		// A tag has a value that JSON can't hold: then nothing is said of the type.
		raw = json.RawMessage(`{}`)
	}
	known.Store(t, raw)
	return raw
}

// maxParts bounds the parts of a schema: types that hold each other many times over would fill the
// memory. What is beyond it may be anything.
const maxParts = 2_000

// walk makes the schema of one type and of all in it.
type walk struct {
	defs object
	// names are those of the recursive types, which stand in defs.
	names           map[reflect.Type]string
	open, recursive map[reflect.Type]bool
	left            int
}

var (
	numberType = reflect.TypeFor[json.Number]()
	bytesType  = reflect.TypeFor[[]byte]()
)

// formats are the formats of types that write themselves as text, by their names.
var formats = map[string]string{"time.Time": "date-time", "uuid.UUID": "uuid", "url.URL": "uri", "netip.Addr": "ip", "netip.Prefix": "cidr"}

// of returns the schema of a type.
func (w *walk) of(t reflect.Type) object {
	if w.left--; w.left < 0 {
		return object{}
	}
	switch {
	case t == numberType:
		return object{{"type", "number"}}
	case t.Kind() == reflect.Pointer:
		return orNull(w.of(t.Elem()))
	case payload.Marshals(t):
		return own(t)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !payload.Marshals(t.Elem()), t == bytesType:
		return object{{"type", []string{"string", "null"}}, {"contentEncoding", "base64"}}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s := object{{"type", "integer"}}
		if t.String() == "time.Duration" {
			s.add("description", "A duration, in nanoseconds.")
		}
		return s
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return object{{"type", "integer"}, {"minimum", 0}}
	case reflect.Float32, reflect.Float64:
		return object{{"type", "number"}}
	case reflect.String:
		return object{{"type", "string"}}
	case reflect.Slice:
		return object{{"type", []string{"array", "null"}}, {"items", w.of(t.Elem())}}
	case reflect.Array:
		return object{{"type", "array"}, {"items", w.of(t.Elem())}, {"minItems", t.Len()}, {"maxItems", t.Len()}}
	case reflect.Map:
		return object{{"type", []string{"object", "null"}}, {"additionalProperties", w.of(t.Elem())}}
	case reflect.Struct:
		return w.structOf(t)
	}
	return object{} // an interface, or what JSON can't hold
}

// own describes a type that writes its own JSON, by what it writes for its zero value.
func own(t reflect.Type) (s object) {
	defer func() {
		if recover() != nil { // the author's code may not handle a zero value
			s = titled(t)
		}
	}()
	raw, err := json.Marshal(reflect.New(t).Interface())
	switch {
	case err == nil && len(raw) > 0 && raw[0] == '"':
		s = object{{"type", "string"}}
		s.add("format", formats[t.String()])
		return s
	case err == nil && len(raw) > 0 && raw[0] >= '0' && raw[0] <= '9':
		return object{{"type", "number"}}
	}
	return titled(t)
}

// titled says no more of a type than its name.
func titled(t reflect.Type) object {
	var s object
	s.add("title", t.Name())
	return s
}

// orNull allows null besides.
func orNull(s object) object {
	switch kind := s.get("type").(type) {
	case string:
		s.set("type", []string{kind, "null"})
	case nil:
		if ref := s.get("$ref"); ref != nil {
			return object{{"anyOf", []object{s, {{"type", "null"}}}}}
		}
	}
	return s
}

// structOf describes a struct. One that holds itself stands in the $defs.
func (w *walk) structOf(t reflect.Type) object {
	if w.open[t] || w.names[t] != "" {
		w.recursive[t] = true
		return object{{"$ref", "#/$defs/" + w.name(t)}}
	}
	w.open[t] = true
	s := w.fields(t)
	delete(w.open, t)
	if !w.recursive[t] {
		return s
	}
	name := w.name(t)
	w.defs.add(name, s)
	return object{{"$ref", "#/$defs/" + name}}
}

// notAName is what the name of a schema can't have: it is part of a reference.
var notAName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// name returns the name of a recursive type, which no other has.
func (w *walk) name(t reflect.Type) string {
	if w.names[t] != "" {
		return w.names[t]
	}
	name := notAName.ReplaceAllString(t.Name(), "_")
	for n := 2; ; n++ {
		free := true
		for _, other := range w.names {
			free = free && other != name
		}
		if free {
			break
		}
		name = notAName.ReplaceAllString(t.Name(), "_") + strconv.Itoa(n)
	}
	w.names[t] = name
	return name
}
