package secret

import (
	"encoding/json"
	"strings"
)

// Redacted is what stands in the place of a secret value.
const Redacted = "•••"

var redactedJSON = json.RawMessage(`"` + Redacted + `"`)

// Fields selects members of JSON payloads: a name selects members of that name at any depth, a
// dotted path (address.city) the member at that path from the root, lists passed through.
// Names are compared without regard to case, as encoding/json does. A name "*" selects everything.
type Fields []string

// All selects everything: for payloads of which nobody can say what is secret.
var All = Fields{"*"}

// has reports whether the member at the path is selected.
func (f Fields) has(path []string) bool {
	for _, name := range f {
		if name == "*" || strings.EqualFold(name, path[len(path)-1]) || strings.Contains(name, ".") && strings.EqualFold(name, strings.Join(path, ".")) {
			return true
		}
	}
	return false
}

func (f Fields) hasAll() bool {
	for _, name := range f {
		if name == "*" {
			return true
		}
	}
	return false
}

// Redact returns the payload with the values of the secret fields replaced by [Redacted]. What
// is no JSON becomes Redacted as a whole, if any field is secret.
func Redact(payload json.RawMessage, fields Fields) json.RawMessage {
	return NewCloak(fields).Payload(payload)
}

// Texts returns the strings, numbers and truths that the selected fields of the payload hold,
// in order. Nothing below a secret field is returned.
func (f Fields) Texts(payload json.RawMessage, hidden Fields) []string {
	if len(payload) == 0 || len(f) == 0 {
		return nil
	}
	var texts []string
	w := walker{fields: hidden, texts: func(path []string, text string) {
		for i := range path {
			if f.has(path[:i+1]) {
				texts = append(texts, text)
				return
			}
		}
	}}
	if err := w.all(payload); err != nil {
		return nil
	}
	return texts
}
