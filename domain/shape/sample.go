package shape

import (
	"bytes"
	"encoding/json"
	"time"
)

// Sample makes a value that the field may have: its example or default, where it has one. A payload
// whose fields have examples is an example as a whole.
func (f *Field) Sample() json.RawMessage {
	switch {
	case len(f.Example) > 0:
		return f.Example
	case len(f.Default) > 0:
		return f.Default
	case len(f.Enum) > 0:
		return f.Enum[0]
	}
	switch f.Kind {
	case Text:
		return sampleText(f)
	case Integer, Number:
		if f.Least != nil && *f.Least > 0 {
			raw, _ := json.Marshal(*f.Least) // a number that was read from JSON
			return raw
		}
		return json.RawMessage(`0`)
	case Boolean:
		return json.RawMessage(`false`)
	case List:
		if f.Item != nil && f.Item.Kind != Any {
			return json.RawMessage(`[` + string(f.Item.Sample()) + `]`)
		}
		return json.RawMessage(`[]`)
	case Map:
		return json.RawMessage(`{}`)
	case Object:
		var out bytes.Buffer
		out.WriteByte('{')
		for i, member := range f.Fields {
			if i > 0 {
				out.WriteByte(',')
			}
			name, _ := json.Marshal(member.Name) // a text
			out.Write(name)
			out.WriteByte(':')
			out.Write(member.Sample())
		}
		out.WriteByte('}')
		return out.Bytes()
	}
	return json.RawMessage(`null`)
}

// texts are what texts of a format look like.
var texts = map[string]string{"date-time": time.Unix(0, 0).UTC().Format(time.RFC3339), "uuid": "00000000-0000-0000-0000-000000000000", "email": "ada@example.com",
	"uri": "https://example.com", "date": "1970-01-01", "ip": "192.0.2.1", "ipv4": "192.0.2.1", "cidr": "192.0.2.0/24"}

func sampleText(f *Field) json.RawMessage {
	text := texts[f.Format]
	for text == "" && f.Short != nil && len(text) < min(*f.Short, maxSample) {
		text = f.Name + "x"
	}
	raw, _ := json.Marshal(text) // a text
	return raw
}

// maxSample bounds a made-up text, in bytes.
const maxSample = 20
