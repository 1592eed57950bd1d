package secret

import "encoding/json"

// Redact returns the payload with the values of the secret fields replaced by [Redacted]. What
// is not JSON becomes Redacted as a whole, if any field is secret.
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
