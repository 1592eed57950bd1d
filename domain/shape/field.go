package shape

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Kind is what values of a field are.
type Kind string

// The kinds of field.
const (
	Text    Kind = "text"
	Integer Kind = "integer"
	Number  Kind = "number"
	Boolean Kind = "true or false"
	List    Kind = "list"
	Object  Kind = "object"
	Map     Kind = "map"
	Nothing Kind = "nothing" // only null
	Any     Kind = "any JSON"
)

// Field is a value of a payload, or the payload as a whole.
type Field struct {
	// Name is the member's, empty for the payload as a whole and for items. Path leads to it from
	// the payload: customer.emails[].
	Name, Path string
	Kind       Kind
	// Type is the name of its Go type, if it has one.
	Type string
	Doc  string
	// Required means that it must be given, Null that it may be null.
	Required, Null bool
	// Format, such as date-time, and Pattern say what a text looks like.
	Format, Pattern string
	// Enum lists the only values that it may have, as JSON.
	Enum             []json.RawMessage
	Default, Example json.RawMessage
	// Least and Most bound a number; Short and Long the characters of a text, the items of a list
	// or the members of a map. Nil means no bound.
	Least, Most *float64
	Short, Long *int
	// Secret fields are shown redacted; Search fields are found by the audit's search.
	Secret, Search bool
	// Fields are the members of an object. Item is what a list, or a map, has.
	Fields []*Field
	Item   *Field
}

// Walk calls f for each field below this one, parents first, in the order of the schema.
func (f *Field) Walk(do func(*Field)) {
	for _, member := range f.Fields {
		do(member)
		member.Walk(do)
	}
	if f.Item != nil {
		f.Item.Walk(do)
	}
}

// Branch is a field in the tree of a payload.
type Branch struct {
	*Field
	// Depth is 0 for the members of the payload, and 1 more for each object around a field.
	Depth int
}

// Tree lists the fields that have names, parents first.
func (f *Field) Tree() []Branch {
	var out []Branch
	f.Walk(func(member *Field) {
		if member.Name != "" {
			out = append(out, Branch{member, strings.Count(member.Path, ".") - strings.Count(member.Name, ".")})
		}
	})
	return out
}

// Says tells of a field's values in a few words, such as "list of text" or "text, one of EUR,
// USD".
func (f *Field) Says() string {
	parts := append([]string{f.kind()}, f.bounds()...)
	if len(f.Enum) > 0 {
		values := make([]string, len(f.Enum))
		for i, v := range f.Enum {
			values[i] = Plain(v)
		}
		parts = append(parts, "one of "+strings.Join(values, ", "))
	}
	if f.Pattern != "" {
		parts = append(parts, "like "+f.Pattern)
	}
	if len(f.Default) > 0 {
		parts = append(parts, "default "+Plain(f.Default))
	}
	if f.Secret {
		parts = append(parts, "secret")
	}
	if f.Search {
		parts = append(parts, "searched")
	}
	return strings.Join(parts, ", ")
}

// kind tells what values are, with their format.
func (f *Field) kind() string {
	switch {
	case f.Kind == List && f.Item != nil:
		return "list of " + f.Item.kind()
	case f.Kind == Map && f.Item != nil:
		return "map of " + f.Item.kind()
	case f.Kind == Object && len(f.Fields) == 0:
		return "empty object"
	case f.Kind == Object && f.Type != "":
		return "object " + f.Type
	case f.Kind == Any && f.Type != "":
		return "any JSON (" + f.Type + ")"
	case f.Format != "":
		return string(f.Kind) + " (" + f.Format + ")"
	}
	return string(f.Kind)
}

// units are what the length of a value is counted in.
var units = map[Kind]string{Text: "character", List: "item", Map: "member"}

// bounds tells the bounds of values.
func (f *Field) bounds() []string {
	var parts []string
	number := func(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }
	switch {
	case f.Least != nil && f.Most != nil:
		parts = append(parts, number(*f.Least)+" to "+number(*f.Most))
	case f.Least != nil:
		parts = append(parts, "at least "+number(*f.Least))
	case f.Most != nil:
		parts = append(parts, "at most "+number(*f.Most))
	}
	unit := units[f.Kind]
	count := func(n int) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch {
	case unit == "":
	case f.Short != nil && f.Long != nil && *f.Short == *f.Long:
		parts = append(parts, count(*f.Short))
	case f.Short != nil && f.Long != nil:
		parts = append(parts, fmt.Sprintf("%d to ", *f.Short)+count(*f.Long))
	case f.Short != nil:
		parts = append(parts, "at least "+count(*f.Short))
	case f.Long != nil:
		parts = append(parts, "at most "+count(*f.Long))
	}
	return parts
}

// Plain writes a JSON value as people type it: a text without its quotes.
func Plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && len(raw) > 0 && raw[0] == '"' {
		return text
	}
	return string(raw)
}
