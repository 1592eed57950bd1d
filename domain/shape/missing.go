package shape

import (
	"encoding/json"
	"fmt"
	"strings"
)

// maxMissing bounds what Missing lists.
const maxMissing = 20

// Wanted reports whether a payload must be given: it is an object with members that are required,
// or a plain value.
func (f *Field) Wanted() bool {
	if f.Null {
		return false
	}
	switch f.Kind {
	case Object:
		for _, m := range f.Fields {
			if m.Required {
				return true
			}
		}
		return false
	case Text, Integer, Number, Boolean:
		return true
	}
	return false
}

// Missing lists the paths of the required values that a payload lacks, the first 20 of them: they
// are not there, or null though they may not be. An object without the payload itself lacks all its
// required members. JSON that does not have the field's kind lacks nothing: whoever decodes it says
// what is wrong.
func (f *Field) Missing(raw json.RawMessage) (paths []string) {
	f.missing(raw, "", &paths)
	return paths
}

// missing adds what a value at the path lacks.
func (f *Field) missing(raw json.RawMessage, path string, out *[]string) {
	if len(*out) >= maxMissing {
		return
	}
	given := len(raw) > 0 && string(raw) != "null"
	switch {
	case !given && f.Null:
	case f.Kind == Object:
		members := make(map[string]json.RawMessage)
		if given && json.Unmarshal(raw, &members) != nil {
			return
		}
		for _, m := range f.Fields {
			value, there := member(members, m.Name)
			inner := strings.TrimPrefix(path+"."+m.Name, ".")
			switch {
			case !there && m.Required, there && string(value) == "null" && m.Wanted():
				*out = append(*out, inner)
			case there:
				m.missing(value, inner, out)
			}
		}
	case f.Kind == List && f.Item != nil && given:
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items) // another kind lacks nothing
		for i, v := range items {
			f.Item.missing(v, fmt.Sprintf("%s[%d]", path, i), out)
		}
	}
}

// member finds a member as Go's decoder does: by its name or, where there is none, whatever its
// case.
func member(members map[string]json.RawMessage, name string) (json.RawMessage, bool) {
	if v, ok := members[name]; ok {
		return v, true
	}
	for n, v := range members {
		if strings.EqualFold(n, name) {
			return v, true
		}
	}
	return nil, false
}
