package expr

import (
	"slices"
	"strings"
)

// Kind is what values of a type are.
type Kind uint8

// The kinds of type.
const (
	Any Kind = iota // whatever the schema leaves open
	Nothing
	Boolean
	Integer // exact, of 64 bits
	Number
	Text
	List
	Map
	Object
	Duration  // only while an expression is computed
	Timestamp // likewise; as JSON it is a text
	Other     // what JSON can't hold
)

// Type is the type of a value.
type Type struct {
	Kind Kind
	// Words name the value for people: output of create-user.
	Words string
	// Elem is the type of a list's items or of a map's values.
	Elem *Type
	// Fields are the members of an object. Open means that there may be others.
	Fields []Field
	Open   bool
	// Maybe means that the value may be null, or absent.
	Maybe bool
}

// Field is a member of an object.
type Field struct {
	Name string
	Type *Type
	// Required means that the member is always there.
	Required bool
	Secret   bool
	Search   bool
}

// Open is the type of values of which nothing is known.
var Open = &Type{Kind: Any}

// Anything is wanted where a value does not become JSON.
var Anything = &Type{Kind: Other}

// Field returns the member of an object with the name, or nil.
func (t *Type) Field(name string) *Field {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return &t.Fields[i]
		}
	}
	return nil
}

// Names lists the members of an object.
func (t *Type) Names() []string {
	names := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		names[i] = f.Name
	}
	return names
}

// Called returns the type under another name.
func (t *Type) Called(words string) *Type {
	own := *t
	own.Words = words
	if t.Kind == Object {
		own.Fields = slices.Clone(t.Fields)
		for i, f := range own.Fields {
			if f.Type.Kind == Object || f.Type.Kind == List || f.Type.Kind == Map {
				own.Fields[i].Type = f.Type.Called(f.Name + " in " + words)
			}
		}
	}
	if t.Elem != nil && (t.Elem.Kind == Object || t.Elem.Kind == List || t.Elem.Kind == Map) {
		own.Elem = t.Elem.Called("an item of " + words)
	}
	return &own
}

// Always returns the type of a value that is there.
func (t *Type) Always() *Type {
	if !t.Maybe {
		return t
	}
	own := *t
	own.Maybe = false
	return &own
}

// String tells what values of the type are.
func (t *Type) String() string {
	switch t.Kind {
	case Nothing:
		return "nothing"
	case Boolean:
		return "true or false"
	case Integer:
		return "an integer"
	case Number:
		return "a number"
	case Text:
		return "a text"
	case List:
		return "a list"
	case Map:
		return "a map"
	case Object:
		return "an object with " + strings.Join(t.Names(), ", ")
	case Duration:
		return "a duration"
	case Timestamp:
		return "a time"
	case Other:
		return "a value of CEL's own"
	}
	return "any value"
}

// Secrets lists the names of the secret members, at any depth; Searched those that are searched.
func (t *Type) Secrets() (names []string) {
	t.walk(func(f Field) {
		if f.Secret {
			names = append(names, f.Name)
		}
	})
	return names
}

// Searched lists the names of the members that are searched, at any depth.
func (t *Type) Searched() (names []string) {
	t.walk(func(f Field) {
		if f.Search {
			names = append(names, f.Name)
		}
	})
	return names
}

func (t *Type) walk(do func(Field)) {
	for _, f := range t.Fields {
		do(f)
		f.Type.walk(do)
	}
	if t.Elem != nil {
		t.Elem.walk(do)
	}
}

// cutStep returns the name of the step in steps.NAME.
func cutStep(root string) (string, bool) { return strings.CutPrefix(root, "steps.") }
