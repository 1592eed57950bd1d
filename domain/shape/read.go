package shape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Bounds of what is read, so that no schema fills the memory or never ends.
const (
	maxDepth  = 12
	maxFields = 2_000
)

// schema is what is read of a JSON Schema.
type schema struct {
	Ref         string             `json:"$ref"`
	Defs        map[string]*schema `json:"$defs"`
	Type        kinds              `json:"type"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Format      string             `json:"format"`
	Pattern     string             `json:"pattern"`
	Enum        []json.RawMessage  `json:"enum"`
	Default     json.RawMessage    `json:"default"`
	Examples    []json.RawMessage  `json:"examples"`
	Minimum     *float64           `json:"minimum"`
	Maximum     *float64           `json:"maximum"`
	MinLength   *int               `json:"minLength"`
	MaxLength   *int               `json:"maxLength"`
	MinItems    *int               `json:"minItems"`
	MaxItems    *int               `json:"maxItems"`
	Properties  properties         `json:"properties"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	AnyOf       []*schema          `json:"anyOf"`
	Encoding    string             `json:"contentEncoding"`
	Secret      bool               `json:"x-secret"`
	Search      bool               `json:"x-search"`
}

// kinds are the types of a value: JSON has one as a text, several as a list.
type kinds []string

// UnmarshalJSON implements json.Unmarshaler.
func (k *kinds) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*k = kinds{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(k))
}

// properties are the members of an object, in the order of the schema.
type properties []property

type property struct {
	name   string
	schema *schema
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *properties) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("properties are no object: %w", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		s := new(schema)
		if err := d.Decode(s); err != nil {
			return err
		}
		text, _ := name.(string)
		*p = append(*p, property{text, s})
	}
	return nil
}

// Read reads a schema. A field that holds itself is shown once in itself, and may be anything
// below.
func Read(raw json.RawMessage) (*Field, error) {
	if len(raw) == 0 {
		return &Field{Kind: Any}, nil
	}
	var s schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	r := reader{defs: s.Defs, left: maxFields}
	return r.field(&s, "", "", nil), nil
}

type reader struct {
	defs map[string]*schema
	left int
}

// field reads a field. open are the references that it is in.
func (r *reader) field(s *schema, name, path string, open []string) *Field {
	r.left--
	f := &Field{Name: name, Path: path, Kind: Any, Doc: s.Description, Secret: s.Secret, Search: s.Search, Default: s.Default}
	for s.Ref != "" || len(s.AnyOf) > 0 {
		if s.Ref == "" {
			others := slices.DeleteFunc(slices.Clone(s.AnyOf), func(o *schema) bool { return o == nil || len(o.Type) == 1 && o.Type[0] == "null" })
			f.Null = f.Null || len(others) < len(s.AnyOf)
			if len(others) != 1 {
				return f
			}
			s = others[0]
			continue
		}
		ref := strings.TrimPrefix(s.Ref, "#/$defs/")
		if s = r.defs[ref]; s == nil || slices.Contains(open, ref) {
			f.Type = ref
			return f
		}
		open = append(slices.Clone(open), ref)
	}
	f.Type, f.Format, f.Pattern, f.Enum = s.Title, s.Format, s.Pattern, s.Enum
	f.Least, f.Most = s.Minimum, s.Maximum
	if f.Doc == "" {
		f.Doc = s.Description
	}
	if len(s.Examples) > 0 {
		f.Example = s.Examples[0]
	}
	r.kind(f, s, path, open)
	return f
}

// kind reads what values are, and what they hold.
func (r *reader) kind(f *Field, s *schema, path string, open []string) {
	f.Null = f.Null || slices.Contains(s.Type, "null")
	of := slices.DeleteFunc(slices.Clone(s.Type), func(k string) bool { return k == "null" })
	if len(of) != 1 {
		if f.Null && len(of) == 0 {
			f.Kind = Nothing
		}
		return
	}
	deep := len(strings.Split(path, ".")) > maxDepth || r.left <= 0
	switch of[0] {
	case "string":
		f.Kind, f.Short, f.Long = Text, s.MinLength, s.MaxLength
		if s.Encoding != "" {
			f.Format = s.Encoding
		}
	case "integer":
		f.Kind = Integer
	case "number":
		f.Kind = Number
	case "boolean":
		f.Kind = Boolean
	case "array":
		f.Kind, f.Short, f.Long = List, s.MinItems, s.MaxItems
		if s.Items != nil && !deep {
			f.Item = r.field(s.Items, "", path+"[]", open)
		}
	case "object":
		f.Kind = Object
		var item *schema
		if json.Unmarshal(s.Additional, &item) == nil && item != nil && len(s.Properties) == 0 {
			f.Kind = Map
			if !deep {
				f.Item = r.field(item, "", path+"{}", open)
			}
			return
		}
		if deep {
			f.Kind = Any
			return
		}
		for _, p := range s.Properties {
			inner := p.name
			if path != "" {
				inner = path + "." + p.name
			}
			member := r.field(p.schema, p.name, inner, open)
			member.Required = slices.Contains(s.Required, p.name)
			f.Fields = append(f.Fields, member)
		}
	}
}
