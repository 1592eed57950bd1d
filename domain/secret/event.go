package secret

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/atonehq/atone/domain"
)

// payloads are the members of atone's own events that carry payloads, each from its own root; lists
// the lists of them.
var (
	payloads = []string{"input", "output", "value", "details"}
	lists    = []string{"items", "inputs"}
)

// Event returns the data of a recorded event without what is secret in it. The event's own secrets,
// as its metadata tell them, are hidden as well. It learns from the event: a run's events are given
// in order.
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

// Pass learns from a recorded event that is not shown.
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

// ofEvent adds what the event's metadata tell.
func (c *Cloak) ofEvent(r *domain.Recorded) *Cloak {
	if !bytes.Contains(r.Metadata, []byte(`"secret"`)) {
		return c
	}
	m, err := domain.DecodeMeta(r.Metadata)
	if err != nil { // another program's: what it means by the word is its own business
		return c
	}
	return c.With(m.Secret)
}

// learnMembers learns from the payloads of an event of atone's own.
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

// member hides what is secret in a member of an event of atone's own.
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

// bare hides secret values in what is not a payload: the message of a failure, a note, a key.
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

// maskedError is an error whose text does not show secret values; what it wraps is found as ever.
type maskedError struct {
	error
	text string
}

func (e *maskedError) Error() string { return e.text }
func (e *maskedError) Unwrap() error { return e.error }

// Error returns an error whose text shows no secret value. What it wraps is found as ever.
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

// Failure returns the failure without secret values in its message and stack. The one given is not
// changed.
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
