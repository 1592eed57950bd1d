package payload

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/verdict"
)

// Marshal writes a value as JSON, without HTML escaping.
func Marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, verdict.Permanent(fmt.Errorf("write as JSON: %w", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Encode writes a payload as JSON. One that json can't write is a permanent failure.
func Encode(v any) (json.RawMessage, error) {
	if raw, ok := v.(json.RawMessage); ok {
		if len(raw) == 0 {
			return json.RawMessage("null"), nil
		}
		if err := accept.Readable("the raw value", raw); err != nil {
			return nil, verdict.Permanent(err)
		}
		return bytes.Clone(raw), nil // its owner may use the buffer again
	}
	raw, err := Marshal(v)
	if err != nil {
		return nil, err
	}
	// A MarshalJSON may write anything.
	if err := accept.Readable("the value", raw); err != nil {
		return nil, verdict.Permanent(err)
	}
	return raw, nil
}

// EncodeOwn writes a caller's value, and refuses a value that would come back changed.
func EncodeOwn(what string, v any) (json.RawMessage, error) {
	raw, err := Encode(v)
	if err != nil {
		return nil, err
	}
	if err := accept.Payload(what, raw); err != nil {
		return nil, err
	}
	return raw, accept.Strings(what, raw, v)
}

// Decode reads a value from JSON; nothing, or null, is the zero value.
func Decode[T any](raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("read %T: %w", v, err)
	}
	return v, nil
}
