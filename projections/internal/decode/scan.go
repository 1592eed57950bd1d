package decode

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

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

// scan calls f for each member of a JSON object that is written as the log's writer writes it: no
// spaces between tokens, names without escapes and in valid UTF-8. It returns false for anything
// else, or as soon as f returns false. In objects and lists it checks only the brackets.
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
		// encoding/json would decode the name differently
		if bytes.IndexByte(name, '\\') >= 0 || !utf8.Valid(name) {
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

// stringEnd returns where the string that begins at i ends, or -1.
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
