package secret

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/atonehq/atone/domain"
)

// payloads are the members of atone's events that carry a payload; lists are those that carry a
// list of payloads.
var (
	payloads = []string{"input", "output", "value", "details"}
	lists    = []string{"items", "inputs"}
)

// Event returns the data of a recorded event with its secrets hidden, including those that the
// event's own metadata names. It also learns from the event, so pass it a run's events in order.
func (c *Cloak) Event(r *domain.Recorded) json.RawMessage {
	if c = c.ofEvent(r); c == nil || len(c.fields) == 0 {
		return r.Data
	}
	if !domain.ReservedType(r.Type) {
		c.Learn(r.Data)
		return c.Payload(r.Data)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(r.Data, &members) != nil {
		return redactedJSON
	}
	c.learnMembers(members)
	for name, raw := range members {
		members[name] = c.member(name, raw)
	}
	out, err := json.Marshal(members)
	if err != nil {
		return redactedJSON
	}
	return out
}

// Pass learns from a recorded event without returning it.
func (c *Cloak) Pass(r *domain.Recorded) {
	if c = c.ofEvent(r); c == nil || len(c.fields) == 0 {
		return
	}
	if !domain.ReservedType(r.Type) {
		c.Learn(r.Data)
		return
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(r.Data, &members) == nil {
		c.learnMembers(members)
	}
}

// ofEvent adds the secret fields that the event's metadata names.
func (c *Cloak) ofEvent(r *domain.Recorded) *Cloak {
	if !bytes.Contains(r.Metadata, []byte(`"secret"`)) {
		return c
	}
	m, err := domain.DecodeMeta(r.Metadata)
	if err != nil { // not atone's metadata, so "secret" means something else there
		return c
	}
	return c.With(m.Secret)
}

// learnMembers learns from the payloads in one of atone's events.
func (c *Cloak) learnMembers(members map[string]json.RawMessage) {
	for _, name := range payloads {
		c.Learn(members[name])
	}
	for _, name := range lists {
		var list []json.RawMessage
		if json.Unmarshal(members[name], &list) == nil {
			c.Learn(list...)
		}
	}
}

// member hides the secrets in one member of one of atone's events.
func (c *Cloak) member(name string, raw json.RawMessage) json.RawMessage {
	for _, p := range payloads {
		if p == name {
			return c.Payload(raw)
		}
	}
	for _, l := range lists {
		var list []json.RawMessage
		if l != name || json.Unmarshal(raw, &list) != nil {
			continue
		}
		for i := range list {
			list[i] = c.Payload(list[i])
		}
		if b, err := json.Marshal(list); err == nil {
			return b
		}
		return redactedJSON
	}
	return c.bare(raw)
}

// bare hides secret values in members that are not payloads: the message of a failure, a note, a
// key.
func (c *Cloak) bare(raw json.RawMessage) json.RawMessage {
	if len(c.values) == 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	w := walker{cloak: c, out: &out}
	if w.all(raw) != nil {
		return redactedJSON
	}
	return out
}

// maskedError hides secret values in an error's text. errors.Is and errors.As see the wrapped
// error.
type maskedError struct {
	error
	text string
}

func (e *maskedError) Error() string { return e.text }
func (e *maskedError) Unwrap() error { return e.error }

// Error returns the error with secret values hidden in its text. errors.Is and errors.As still see
// err.
func (c *Cloak) Error(err error) error {
	if err == nil || c == nil || len(c.fields) == 0 {
		return err
	}
	var masked *maskedError
	if text := c.Text(err.Error()); text != err.Error() && !errors.As(err, &masked) {
		return &maskedError{err, text}
	}
	return err
}

// Failure returns a copy of the failure without secret values in its message and stack.
func (c *Cloak) Failure(f *domain.Failure) *domain.Failure {
	if f == nil || c == nil || len(c.fields) == 0 {
		return f
	}
	message, stack := c.Text(f.Message), c.Text(f.Stack)
	if message == f.Message && stack == f.Stack {
		return f
	}
	masked := *f
	masked.Message, masked.Stack = message, stack
	return &masked
}

// MaskError takes the secret values of a payload out of an error that is about it. It returns nil
// for nil.
func MaskError(fields Fields, payload json.RawMessage, err error) error {
	if err == nil {
		return nil
	}
	cloak := NewCloak(fields)
	cloak.Learn(payload)
	return cloak.Error(err)
}
