package expr

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// maxSchema is how deep a schema is followed: beyond it, and where it comes back to itself, values
// may be anything.
const maxSchema = 20

// maxFields bounds how many members a type has altogether: schemas that refer to one part many
// times over would fill the memory.
const maxFields = 5_000

// schema is what is read of a JSON Schema.
type schema struct {
	Type       any                        `json:"type"`
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required"`
	Items      json.RawMessage            `json:"items"`
	Additional json.RawMessage            `json:"additionalProperties"`
	Ref        string                     `json:"$ref"`
	AnyOf      []json.RawMessage          `json:"anyOf"`
	Defs       map[string]json.RawMessage `json:"$defs"`
	Enum       []any                      `json:"enum"`
	Secret     bool                       `json:"x-secret"`
	Search     bool                       `json:"x-search"`
}

// TypeOf returns the type that a JSON Schema describes. What it does not understand may be
// anything.
func TypeOf(raw json.RawMessage, words string) *Type {
	var root schema
	if json.Unmarshal(raw, &root) != nil {
		return Open.Called(words)
	}
	left := maxFields
	return reading{root.Defs, &left}.of(raw, maxSchema).Called(words)
}

// reading is the way through one schema.
type reading struct {
	defs map[string]json.RawMessage
	left *int
}

func (r reading) of(raw json.RawMessage, depth int) *Type {
	var s schema
	if depth == 0 || *r.left < 0 || json.Unmarshal(raw, &s) != nil {
		return Open
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		return r.of(r.defs[name], depth-1)
	}
	if len(s.AnyOf) == 2 {
		for i, part := range s.AnyOf {
			if isNull(part) {
				t := *r.of(s.AnyOf[1-i], depth-1)
				t.Maybe = true
				return &t
			}
		}
	}
	kind, null := s.kind()
	t := &Type{Maybe: null}
	switch kind {
	case "null":
		t.Kind, t.Maybe = Nothing, true
	case "boolean":
		t.Kind = Boolean
	case "integer":
		t.Kind = Integer
	case "number":
		t.Kind = Number
	case "string":
		t.Kind = Text
	case "array":
		// A list that is null is read as an empty one.
		t.Kind, t.Elem, t.Maybe = List, r.of(s.Items, depth-1), false
		if len(s.Items) == 0 || t.Elem.Maybe {
			t.Elem = Open
		}
	case "object":
		r.object(t, s, depth)
	default:
		return Open
	}
	return t
}

// kind returns the one type of a schema besides null, or nothing where there are several.
func (s *schema) kind() (kind string, null bool) {
	switch t := s.Type.(type) {
	case string:
		return t, false
	case []any:
		for _, k := range t {
			name, _ := k.(string)
			switch {
			case name == "null":
				null = true
			case kind != "":
				return "", false
			default:
				kind = name
			}
		}
		return kind, null && kind != ""
	case nil:
		texts := len(s.Enum) > 0
		for _, v := range s.Enum {
			_, ok := v.(string)
			texts = texts && ok
		}
		if texts {
			return "string", false
		}
		if s.Properties != nil {
			return "object", false
		}
	}
	return "", false
}

func isNull(raw json.RawMessage) bool {
	var s schema
	return json.Unmarshal(raw, &s) == nil && s.Type == "null"
}

// object reads the members of an object, in the order of the schema, or the values of a map.
func (r reading) object(t *Type, s schema, depth int) {
	t.Kind = Object
	additional := strings.TrimSpace(string(s.Additional))
	if len(s.Properties) == 0 && additional != "false" {
		t.Kind, t.Elem, t.Maybe = Map, Open, false
		if strings.HasPrefix(additional, "{") {
			if t.Elem = r.of(s.Additional, depth-1); t.Elem.Maybe {
				t.Elem = Open
			}
		}
		return
	}
	t.Open = additional == "true" || strings.HasPrefix(additional, "{")
	for _, name := range sortedNames(s.Properties) {
		*r.left--
		var about schema
		_ = json.Unmarshal(s.Properties[name], &about) // what can't be read says nothing
		member := r.of(s.Properties[name], depth-1)
		t.Fields = append(t.Fields, Field{Name: name, Type: member.Always(), Secret: about.Secret, Search: about.Search,
			Required: slices.Contains(s.Required, name) && !member.Maybe})
	}
}

func sortedNames(m map[string]json.RawMessage) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Schema writes a type as a JSON Schema.
func (t *Type) Schema() json.RawMessage {
	raw, err := json.Marshal(t.schema())
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return raw
}

func (t *Type) schema() map[string]any {
	s := map[string]any{}
	names := map[Kind]string{Nothing: "null", Boolean: "boolean", Integer: "integer", Number: "number", Text: "string", Timestamp: "string", List: "array", Map: "object", Object: "object"}
	if name := names[t.Kind]; name != "" {
		s["type"] = name
		if t.Maybe && t.Kind != Nothing {
			s["type"] = []string{name, "null"}
		}
	}
	switch t.Kind {
	case List:
		s["items"] = t.Elem.schema()
	case Map:
		s["additionalProperties"] = t.Elem.schema()
	case Object:
		properties, required := map[string]any{}, []string{}
		for _, f := range t.Fields {
			member := f.Type.schema()
			if f.Secret {
				member["x-secret"] = true
			}
			if f.Search {
				member["x-search"] = true
			}
			properties[f.Name] = member
			if f.Required {
				required = append(required, f.Name)
			}
		}
		s["properties"], s["additionalProperties"] = properties, t.Open
		if len(required) > 0 {
			s["required"] = required
		}
	}
	return s
}

// said is why a schema that somebody wrote is refused.
func said(format string, args ...any) error { return fmt.Errorf(format, args...) }

// CheckSchema refuses what a schema in a file can't have: references to other places than its own
// $defs, those that come back to themselves, and more than is followed.
func CheckSchema(raw json.RawMessage) error {
	var root schema
	if err := json.Unmarshal(raw, &root); err != nil {
		return said("it is no JSON Schema: %v", err)
	}
	var whole any
	if err := json.Unmarshal(raw, &whole); err != nil {
		return said("it is no JSON Schema: %v", err)
	}
	c := &following{defs: root.Defs, done: map[string]bool{}, open: map[string]bool{}}
	return c.walk(whole)
}

// following looks for references that come back to themselves.
type following struct {
	defs       map[string]json.RawMessage
	done, open map[string]bool
}

func (c *following) walk(v any) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := c.walk(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, name := range []string{"$dynamicRef", "$recursiveRef", "$id", "$anchor", "$dynamicAnchor"} {
			if _, ok := v[name].(string); ok {
				return said("%s is not supported: refer to the schema's own $defs with $ref", name)
			}
		}
		if ref, ok := v["$ref"].(string); ok {
			if err := c.follow(ref); err != nil {
				return err
			}
		}
		for name, member := range v {
			if name == "$defs" {
				continue // they are walked where they are referred to
			}
			if err := c.walk(member); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *following) follow(ref string) error {
	name, own := strings.CutPrefix(ref, "#/$defs/")
	raw, there := c.defs[name]
	switch {
	case !own || !there:
		return said("$ref: %q: it refers to nothing in the schema's own $defs", ref)
	case c.open[name]:
		return said("$ref: %q comes back to itself: such a schema is not supported", ref)
	case c.done[name]:
		return nil
	}
	c.open[name] = true
	var part any
	if err := json.Unmarshal(raw, &part); err != nil {
		return said("%s: %v", ref, err)
	}
	err := c.walk(part)
	c.open[name], c.done[name] = false, true
	return err
}
