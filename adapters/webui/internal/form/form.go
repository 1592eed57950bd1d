package form

import (
	"bytes"
	"encoding/json"

	"github.com/atonehq/atone/domain/shape"
)

// Widget is the kind of an input.
type Widget string

// The widgets.
const (
	Line   Widget = "line"   // a text on one line
	Figure Widget = "figure" // a number
	Choice Widget = "choice" // one of some values
	Lines  Widget = "lines"  // a list, one item on each line
	JSON   Widget = "json"   // any value, written as JSON
	Group  Widget = "group"  // the heading of the inputs of an object
)

// Input asks for one value.
type Input struct {
	*shape.Field
	Widget Widget
	// ID is the input's name in the posted form.
	ID string
	// Label names the input for people. Depth is the number of groups around it.
	Label string
	Depth int
	// Choices are the values to choose from.
	Choices []string
	// Value is what the person wrote or, before that, the default. Error says what is wrong with
	// Value.
	Value, Error string
}

// Form asks for a payload.
type Form struct {
	Payload *shape.Field
	Inputs  []Input
	// Raw is the payload as JSON, if a person wrote that instead of filling in the inputs. RawError
	// says what is wrong with Raw. Sample is an example of a payload.
	Raw, RawError, Sample string
}

// maxGroups is how deep objects get inputs field by field; deeper objects are written as JSON.
const maxGroups = 3

// Of makes the form of a payload.
func Of(payload *shape.Field) *Form {
	f := &Form{Payload: payload, Sample: Indented(payload.Sample())}
	if payload.Kind == shape.Object {
		for _, member := range payload.Fields {
			f.add(member, 0)
		}
		return f
	}
	if payload.Kind != shape.Nothing {
		in := inputOf(payload, 0)
		in.Label = "Value"
		f.Inputs = append(f.Inputs, in)
	}
	return f
}

// add adds the inputs of a field.
func (f *Form) add(field *shape.Field, depth int) {
	in := inputOf(field, depth)
	f.Inputs = append(f.Inputs, in)
	if in.Widget != Group {
		return
	}
	for _, member := range field.Fields {
		f.add(member, depth+1)
	}
}

// inputOf makes the input of a field.
func inputOf(field *shape.Field, depth int) Input {
	in := Input{Field: field, ID: "in." + field.Path, Label: field.Name, Depth: depth, Widget: JSON, Value: shape.Plain(field.Default)}
	switch {
	case len(field.Enum) > 0:
		in.Widget = Choice
		for _, v := range field.Enum {
			in.Choices = append(in.Choices, shape.Plain(v))
		}
	case field.Kind == shape.Boolean:
		in.Widget, in.Choices = Choice, []string{"true", "false"}
	case field.Kind == shape.Text:
		in.Widget = Line
	case field.Kind == shape.Integer, field.Kind == shape.Number:
		in.Widget = Figure
	case field.Kind == shape.List && field.Item != nil && scalar(field.Item):
		in.Widget, in.Value = Lines, ""
	case field.Kind == shape.Object && depth < maxGroups && len(field.Fields) > 0:
		in.Widget = Group
	}
	return in
}

// scalar reports whether a value is written on one line.
func scalar(f *shape.Field) bool {
	return f.Kind == shape.Text || f.Kind == shape.Integer || f.Kind == shape.Number || f.Kind == shape.Boolean
}

// Hint is an example of what to fill in.
func (in *Input) Hint() string {
	if len(in.Example) > 0 {
		return shape.Plain(in.Example)
	}
	if in.Widget == JSON {
		return string(in.Sample())
	}
	return ""
}

// Indented writes JSON for people.
func Indented(raw json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}
