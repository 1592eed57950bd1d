package projections

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/atonehq/atone/domain"
)

// decodeFact reads an event of a run, as [domain.DecodeFact] does. What most events are made of is read
// by the plain scanner below, several times as fast as by encoding/json; whatever that scanner doesn't expect
// goes the general way.
func decodeFact(r *domain.Recorded) (domain.Fact, error) {
	f := domain.Fact{ID: r.ID, Revision: r.Revision}
	if !scanMeta(r.Metadata, &f.Meta) {
		return domain.DecodeFact(r)
	}
	switch r.Type {
	case "attempt.started.v1":
		e := &domain.AttemptStarted{}
		f.Event = e
		if scan(r.Data, func(name string, v value) bool {
			switch name {
			case "step":
				return v.text(&e.Step)
			case "direction":
				return v.text((*string)(&e.Direction))
			case "attempt":
				return v.int(&e.Attempt)
			case "action":
				return v.text(&e.Action)
			case "input":
				return v.raw(&e.Input)
			case "due":
				return v.time(&e.Due)
			case "node":
				return v.text(&e.Node)
			}
			return false
		}) {
			return f, nil
		}
	case "attempt.succeeded.v1":
		e := &domain.AttemptSucceeded{}
		f.Event = e
		if scan(r.Data, func(name string, v value) bool {
			switch name {
			case "step":
				return v.text(&e.Step)
			case "direction":
				return v.text((*string)(&e.Direction))
			case "attempt":
				return v.int(&e.Attempt)
			case "output":
				return v.raw(&e.Output)
			}
			return false
		}) {
			return f, nil
		}
	case "run.completed.v1":
		e := &domain.RunCompleted{}
		f.Event = e
		if scan(r.Data, func(name string, v value) bool { return name == "output" && v.raw(&e.Output) }) {
			return f, nil
		}
	}
	var err error
	if f.Event, err = domain.DecodeEvent(r.Type, r.Data); err != nil {
		return domain.DecodeFact(r) // for the error
	}
	return f, nil
}

func scanMeta(b []byte, m *domain.Meta) bool {
	return scan(b, func(name string, v value) bool {
		switch name {
		case "$correlationId":
			return v.text(&m.CorrelationID)
		case "$causationId":
			return v.text(&m.CausationID)
		case "at":
			return v.time(&m.At)
		case "actor":
			return v.text(&m.Actor)
		case "traceparent":
			return v.text(&m.Trace)
		case "hash":
			return v.text(&m.Hash)
		case "wake":
			return scan(v, func(name string, v value) bool {
				switch name {
				case "state":
					return v.text((*string)(&m.Wake.State))
				case "due":
					return v.time(&m.Wake.Due)
				case "busy":
					return v.flag(&m.Wake.Busy)
				case "events":
					return v.flag(&m.Wake.Events)
				case "node":
					return v.text(&m.Wake.Node)
				}
				return false
			})
		}
		return false
	})
}

// value is the raw JSON of a member.
type value []byte

// text reads a string without escapes.
func (v value) text(into *string) bool {
	if len(v) < 2 || v[0] != '"' || bytes.IndexByte(v, '\\') >= 0 || !utf8.Valid(v) {
		return false
	}
	*into = string(v[1 : len(v)-1])
	return true
}

func (v value) flag(into *bool) bool {
	*into = string(v) == "true"
	return *into
}

func (v value) int(into *int) (ok bool) {
	n, err := strconv.Atoi(string(v))
	*into = n
	return err == nil
}

func (v value) raw(into *json.RawMessage) bool {
	*into = json.RawMessage(v[:len(v):len(v)])
	return true
}

func (v value) time(into *time.Time) bool {
	if len(v) < 2 || v[0] != '"' {
		return false
	}
	t, err := time.Parse(time.RFC3339, string(v[1:len(v)-1]))
	*into = t
	return err == nil
}

// scan calls f for each member of a JSON object as the log's writer leaves it: without spaces between the tokens, names
// without escapes and in valid UTF-8, each once. It returns false for anything else, or as soon as f does. Values
// that are objects or lists are checked for their brackets only.
func scan(b []byte, f func(name string, v value) bool) bool {
	if len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' {
		return false
	}
	if len(b) == 2 {
		return true
	}
	for i := 1; ; {
		if b[i] != '"' {
			return false
		}
		n := bytes.IndexByte(b[i+1:], '"')
		if n < 0 || i+n+2 >= len(b) || b[i+n+2] != ':' {
			return false
		}
		name := b[i+1 : i+1+n]
		if bytes.IndexByte(name, '\\') >= 0 || !utf8.Valid(name) { // encoding/json reads another name there
			return false
		}
		i += n + 3
		end := valueEnd(b, i)
		if end < 0 || end >= len(b) || !f(string(name), b[i:end]) {
			return false
		}
		switch {
		case b[end] == '}' && end == len(b)-1:
			return true
		case b[end] != ',' || end+1 >= len(b)-1:
			return false
		}
		i = end + 1
	}
}

// valueEnd returns where the value that begins at i ends, or -1.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = stringEnd(b, i); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of a number or word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return -1
}

// stringEnd returns the place after the string that begins at i, or -1.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		i++
		if escapes%2 == 0 {
			return i
		}
	}
	return -1
}
