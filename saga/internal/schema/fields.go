package schema

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/atonehq/atone/saga/internal/payload"
)

// fields describes a struct by the fields that encoding/json writes. Members that the struct does
// not have are mistakes, which a start refuses.
func (w *walk) fields(t reflect.Type) object {
	var properties object
	var required []string
	w.collect(t, &properties, &required, 0)
	s := titled(t) // up: a struct has fields, and each field has a type
	s.set("type", "object")
	s.set("properties", properties)
	if len(required) > 0 {
		s.set("required", required)
	}
	s.set("additionalProperties", false)
	return s
}

// maxEmbedded bounds how deep structs embedded in structs are followed.
const maxEmbedded = 20

// collect adds the fields of a struct, and of those embedded in it, which its own ones hide.
func (w *walk) collect(t reflect.Type, properties *object, required *[]string, depth int) {
	var embedded []reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		name, written := payload.JSONName(f)
		if !written {
			continue
		}
		if payload.Inlined(f) && !payload.Marshals(f.Type) {
			if inner := f.Type; depth < maxEmbedded {
				if inner.Kind() == reflect.Pointer {
					inner = inner.Elem()
				}
				embedded = append(embedded, inner)
			}
			continue
		}
		if properties.get(name) != nil {
			continue
		}
		properties.set(name, w.field(f))
		if needed(f) && !slices.Contains(*required, name) {
			*required = append(*required, name)
		}
	}
	for _, e := range embedded {
		w.collect(e, properties, required, depth+1)
	}
}

// needed reports whether a field must be given: it is neither optional by its json tag nor a
// pointer, unless its tag required says otherwise.
func needed(f reflect.StructField) bool {
	if yes, err := strconv.ParseBool(f.Tag.Get("required")); err == nil {
		return yes
	}
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	for option := range strings.SplitSeq(options, ",") {
		if option == "omitempty" || option == "omitzero" {
			return false
		}
	}
	return f.Type.Kind() != reflect.Pointer
}

// Tags of a field that go into its schema, by what their values are. They are those that huma,
// with which the HTTP API is described, reads as well.
var (
	numberTags = []string{"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"}
	countTags  = []string{"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
	textTags   = []string{"title", "format", "pattern"}
)

// field describes a field: its type, and what its tags say.
func (w *walk) field(f reflect.StructField) object {
	s := w.of(f.Type) // up: a struct has fields, and each field has a type
	if _, options, _ := strings.Cut(f.Tag.Get("json"), ","); slices.Contains(strings.Split(options, ","), "string") {
		s = object{{"type", "string"}}
	}
	if doc := f.Tag.Get("doc"); doc != "" {
		s.set("description", doc)
	}
	for _, tag := range textTags {
		if text := f.Tag.Get(tag); text != "" {
			s.set(tag, text)
		}
	}
	for _, tag := range numberTags {
		if n, err := strconv.ParseFloat(f.Tag.Get(tag), 64); err == nil {
			s.set(tag, n)
		}
	}
	for _, tag := range countTags {
		if n, err := strconv.Atoi(f.Tag.Get(tag)); err == nil && n >= 0 {
			s.set(tag, n)
		}
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		in, of := &s, s
		if items, ok := s.get("items").(object); ok { // of a list: its items are of the enum
			of = items
			in = &of
		}
		var values []any
		for text := range strings.SplitSeq(enum, ",") {
			values = append(values, valueOf(of, text))
		}
		in.set("enum", values)
		if in != &s {
			s.set("items", of)
		}
	}
	if text, ok := f.Tag.Lookup("default"); ok {
		s.set("default", valueOf(s, text))
	}
	if text, ok := f.Tag.Lookup("example"); ok {
		s.set("examples", []any{valueOf(s, text)})
	}
	switch f.Tag.Get("atone") {
	case "secret":
		s.set("x-secret", true)
	case "search":
		s.set("x-search", true)
	}
	return s
}

// valueOf reads the text of a tag as a value of the schema: text where that is what it takes, else
// JSON.
func valueOf(s object, text string) any {
	kind, _ := s.get("type").(string)
	if kinds, ok := s.get("type").([]string); ok {
		kind = kinds[0]
	}
	if kind == "string" || !json.Valid([]byte(text)) {
		return text
	}
	return json.RawMessage(text)
}
