package schema

import (
	"bytes"

	"github.com/atonehq/atone/saga/internal/payload"
)

// object is a JSON object whose members are written in the order in which they were added, so that
// a form asks for fields in the order of the Go struct.
type object []member

type member struct {
	name  string
	value any
}

// add adds a member; one whose value is nil or "" is left out.
func (o *object) add(name string, value any) {
	if value == nil || value == "" {
		return
	}
	*o = append(*o, member{name, value})
}

// get returns the value of a member, or nil.
func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// set changes the value of a member, or adds it.
func (o *object) set(name string, value any) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name, value})
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := payload.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := payload.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
