package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"

	"github.com/atonehq/atone/saga/data/internal/source"
)

// JSON computes the value.
func (v *Value) JSON(values *Values) (json.RawMessage, error) {
	if v.raw != nil {
		return v.raw, nil
	}
	if v.whole != nil && v.whole.whole != "" {
		if raw, ok := values.Read(v.whole.whole); ok && len(raw) > 0 {
			return raw, nil // as it was recorded, byte by byte
		}
	}
	var b bytes.Buffer
	if err := v.write(&b, values); err != nil {
		if errors.Is(err, errAbsent) {
			return json.RawMessage("null"), nil
		}
		return nil, err
	}
	return b.Bytes(), nil
}

func (v *Value) write(b *bytes.Buffer, values *Values) error {
	switch {
	case v.raw != nil:
		b.Write(v.raw)
	case v.whole != nil:
		value, err := v.whole.eval(values)
		if err != nil {
			return err
		}
		if err = toJSON(b, value); err != nil && !errors.Is(err, errAbsent) {
			err = v.whole.failed(values, err.Error())
		}
		return err
	case v.parts != nil:
		text, err := v.letters(values, nil)
		if err != nil {
			return err
		}
		b.Write(source.Quoted(text))
	case v.items != nil:
		return v.writeItems(b, values)
	default:
		return v.writeMembers(b, values)
	}
	return nil
}

func (v *Value) writeItems(b *bytes.Buffer, values *Values) error {
	b.WriteByte('[')
	for i, item := range v.items {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := item.write(b, values); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func (v *Value) writeMembers(b *bytes.Buffer, values *Values) error {
	b.WriteByte('{')
	first := true
	for _, m := range v.members {
		at := b.Len()
		if !first {
			b.WriteByte(',')
		}
		b.Write(source.Quoted(m.name))
		b.WriteByte(':')
		if err := m.value.write(b, values); errors.Is(err, errAbsent) {
			b.Truncate(at)
			continue
		} else if err != nil {
			return err
		}
		first = false
	}
	b.WriteByte('}')
	return nil
}

// letters computes a text with expressions in it.
func (v *Value) letters(values *Values, escape func(string) (string, error)) (string, error) {
	var text strings.Builder
	for _, p := range v.parts {
		if p.expr == nil {
			text.WriteString(p.text)
			continue
		}
		value, err := p.expr.eval(values)
		if err != nil {
			return "", err
		}
		s, err := inText(value)
		if err == nil && escape != nil {
			s, err = escape(s)
		}
		if err != nil {
			return "", p.expr.failed(values, err.Error())
		}
		text.WriteString(s)
	}
	return text.String(), nil
}

// Escaped computes a text of letters with expressions among them; what these give is escaped.
func (v *Value) Escaped(values *Values, escape func(string) (string, error)) (string, error) {
	if v.parts == nil {
		return v.Letters(values)
	}
	return v.letters(values, escape)
}

// Holds computes a condition.
func (v *Value) Holds(values *Values) (bool, error) {
	raw, err := v.JSON(values)
	if err != nil {
		return false, err
	}
	var yes bool
	if json.Unmarshal(raw, &yes) != nil || string(raw) == "null" {
		return false, v.wrong(values, "it gives neither true nor false")
	}
	return yes, nil
}

// Letters computes a text; other scalars are written as JSON writes them.
func (v *Value) Letters(values *Values) (string, error) {
	raw, err := v.JSON(values)
	if err != nil {
		return "", err
	}
	var text string
	switch {
	case json.Unmarshal(raw, &text) == nil && string(raw) != "null":
		return text, nil
	case len(raw) > 0 && (raw[0] == '[' || raw[0] == '{' || raw[0] == 'n'):
		return "", v.wrong(values, "it gives no text")
	}
	return string(raw), nil
}

// Items computes a list.
func (v *Value) Items(values *Values) (items []json.RawMessage, err error) {
	raw, err := v.JSON(values)
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(raw, &items) != nil {
		return nil, v.wrong(values, "it gives no list")
	}
	return items, nil
}

// Rest computes how long, or until when, a step sleeps: of a duration, a time, or a text of one.
func (v *Value) Rest(values *Values) (span time.Duration, until time.Time, err error) {
	if v.whole != nil {
		value, err := v.whole.eval(values)
		if err != nil {
			return 0, until, err
		}
		switch value := value.(type) {
		case types.Duration:
			return value.Duration, until, nil
		case types.Timestamp:
			return 0, value.Time, nil
		}
	}
	text, err := v.Letters(values)
	if err != nil {
		return 0, until, err
	}
	if span, err := time.ParseDuration(text); err == nil {
		return span, until, nil
	}
	if until, err = time.Parse(time.RFC3339, text); err != nil {
		return 0, until, v.wrong(values, "it gives neither a duration, such as 5m, nor a time, such as 2026-01-31T09:00:00Z")
	}
	return 0, until, nil
}

// wrong makes the error of a value that is not what it must be.
func (v *Value) wrong(values *Values, why string) error {
	if v.whole != nil {
		return v.whole.failed(values, why)
	}
	return fmt.Errorf("%s:%d:%d: %s", v.file, v.at.Line, v.at.Col, why)
}

// Failed makes the error of a value that was computed and is refused where it goes.
func (v *Value) Failed(values *Values, why error) error { return v.wrong(values, why.Error()) }
