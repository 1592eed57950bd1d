package form

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/atonehq/atone/domain/shape"
)

// RawID is the name of the input for a payload as JSON.
const RawID = "output"

// Read reads a posted form and keeps its texts. It returns the payload as JSON, or false if
// something is wrong, in which case the inputs say what. If the person wrote JSON, the inputs are
// ignored.
func (f *Form) Read(posted url.Values) (json.RawMessage, bool) {
	for i := range f.Inputs {
		f.Inputs[i].Value = posted.Get(f.Inputs[i].ID)
	}
	f.Raw = posted.Get(RawID)
	if text := strings.TrimSpace(f.Raw); text != "" {
		if !json.Valid([]byte(text)) {
			f.RawError = "It is not valid JSON: " + faultOf(text)
			return nil, false
		}
		return json.RawMessage(text), true
	}
	if f.Payload.Kind != shape.Object {
		if len(f.Inputs) == 0 {
			return json.RawMessage(`null`), true
		}
		raw, given := f.Inputs[0].read(true)
		if !given {
			raw = json.RawMessage(`null`)
		}
		return raw, f.fine()
	}
	at := 0
	raw, _ := f.object(&at, 0)
	return raw, f.fine()
}

// Refuse notes that the server refused the payload.
func (f *Form) Refuse(why string) {
	for i := range f.Inputs {
		// A refusal of the type of one member names it: "… struct field order.total of type int".
		if in := &f.Inputs[i]; in.Name != "" && strings.Contains(why, "."+in.Path+" of type") {
			in.Error = "has the wrong type"
		}
	}
}

func (f *Form) fine() bool {
	for i := range f.Inputs {
		if f.Inputs[i].Error != "" {
			return false
		}
	}
	return true
}

// object reads the inputs of an object, beginning at *at, and reports whether one was filled in.
func (f *Form) object(at *int, depth int) (json.RawMessage, bool) {
	var out bytes.Buffer
	some, first := false, true
	out.WriteByte('{')
	for *at < len(f.Inputs) && f.Inputs[*at].Depth >= depth {
		in := &f.Inputs[*at]
		*at++
		var raw json.RawMessage
		var given bool
		if in.Widget == Group {
			begin := *at
			raw, given = f.object(at, depth+1)
			if !given && !in.Required {
				f.forget(begin, *at) // an object without any input is left out
				continue
			}
			given = true
		} else {
			raw, given = in.read(in.Required)
			some = some || in.Value != ""
		}
		if !given {
			continue
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		name, err := json.Marshal(in.Name)
		if err != nil {
			continue // a text of a schema can be written
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(raw)
		some = some || in.Widget == Group && len(raw) > len(`{}`)
	}
	out.WriteByte('}')
	return out.Bytes(), some
}

// forget clears the errors about missing inputs in an object that is left out.
func (f *Form) forget(from, to int) {
	for i := from; i < to; i++ {
		f.Inputs[i].Error = ""
	}
}

// read reads one value, and reports whether there is one.
func (in *Input) read(required bool) (json.RawMessage, bool) {
	text := in.Value
	if in.Widget != Line {
		text = strings.TrimSpace(text)
	}
	if text == "" {
		switch {
		case in.Widget == Lines && required:
			return json.RawMessage(`[]`), in.count(0)
		case required && in.Null:
			return json.RawMessage(`null`), true
		case required:
			in.Error = "is missing"
		}
		return nil, false
	}
	if in.Widget == Lines {
		return in.lines(text)
	}
	raw, why := value(in.Field, text)
	in.Error = why
	return raw, why == ""
}

// lines reads a list, one item a line.
func (in *Input) lines(text string) (json.RawMessage, bool) {
	var items []string
	for line := range strings.Lines(text) {
		item := strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(item) == "" {
			continue
		}
		raw, why := value(in.Item, strings.TrimSpace(item))
		if why != "" {
			in.Error = "“" + item + "” " + why
			return nil, false
		}
		items = append(items, string(raw))
	}
	return json.RawMessage("[" + strings.Join(items, ",") + "]"), in.count(len(items))
}

// count reports whether a list may have n items.
func (in *Input) count(n int) bool {
	switch {
	case in.Short != nil && n < *in.Short:
		in.Error = "has too few items"
	case in.Long != nil && n > *in.Long:
		in.Error = "has too many items"
	}
	return in.Error == ""
}
