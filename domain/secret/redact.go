package secret

import "encoding/json"

// Redact returns the payload with the values of the secret fields replaced by [Redacted]. If any
// field is secret, text that is not JSON becomes Redacted as a whole.
func Redact(payload json.RawMessage, fields Fields) json.RawMessage {
	return NewCloak(fields).Payload(payload)
}

// Texts returns the strings, numbers and booleans in the selected fields of the payload, in order.
// It returns nothing below a secret field.
func (f Fields) Texts(payload json.RawMessage, hidden Fields) (texts []string) {
	f.Each(payload, hidden, func(_, text string) { texts = append(texts, text) })
	return texts
}

// Each calls the function with each text that [Fields.Texts] returns, and with the name of the
// member that is selected. Of a payload that is not JSON it stops where that shows.
func (f Fields) Each(payload json.RawMessage, hidden Fields, each func(name, text string)) {
	if len(payload) == 0 || len(f) == 0 {
		return
	}
	w := walker{fields: hidden, texts: func(path []string, text string) {
		for i := range path {
			if f.has(path[:i+1]) {
				each(path[i], text)
				return
			}
		}
	}}
	_ = w.all(payload) // what came before is found
}
