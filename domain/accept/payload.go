package accept

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxPayload bounds one payload (an input, an output, an item, a signal), in bytes, so that it
	// fits an append together with its event.
	MaxPayload = 512 << 10
	// MaxDepth bounds how deep a payload's objects and lists are nested. encoding/json reads 10,000
	// levels, of which an event, a page and a client's own envelope take some.
	MaxDepth = 1_000
)

// Payload refuses JSON that would not come back the same: what is not JSON (RFC 8259) in UTF-8,
// begins with a byte order mark, has an object with a member twice, an escape that is half a
// character, is nested deeper than [MaxDepth] or longer than [MaxPayload]. Numbers of any size are
// taken: they are kept as they were written. No bytes at all stand for no payload, and are taken.
func Payload(what string, raw []byte) error {
	if err := Size(what, raw); err != nil {
		return err
	}
	return check(what, raw, false)
}

// Readable is [Payload] for what code has computed, of whatever size: a member that occurs twice is
// accepted, because what was done is done, and the bytes are kept as they are.
func Readable(what string, raw []byte) error { return check(what, raw, true) }

func check(what string, raw []byte, twice bool) error {
	if len(raw) == 0 {
		return nil
	}
	if !jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(twice)) {
		return fmt.Errorf("%s is not valid JSON: %w", what, fault(raw, twice))
	}
	if deep(raw) {
		return fmt.Errorf("%s is nested more than %d levels deep: flatten it, or store it elsewhere and pass a reference", what, MaxDepth)
	}
	return nil
}

// Size refuses a payload that would not fit an event of a run.
func Size(what string, raw []byte) error {
	if len(raw) > MaxPayload {
		return fmt.Errorf("%s is %d bytes of JSON; at most %d fit a run's stream: store it elsewhere and pass a reference", what, len(raw), MaxPayload)
	}
	return nil
}

// Document refuses a text of JSON that a reader would not read the same (see [Payload]), whatever
// its size: for the bodies of requests, whose size their door bounds.
func Document(raw []byte) error {
	if !jsontext.Value(raw).IsValid() {
		return fmt.Errorf("not valid JSON: %w", fault(raw, false))
	}
	if deep(raw) {
		return fmt.Errorf("JSON nested more than %d levels deep", MaxDepth)
	}
	return nil
}

// fault says in few words what is wrong with JSON that is not valid.
func fault(raw []byte, twice bool) error {
	if bytes.HasPrefix(raw, []byte("\ufeff")) {
		return errors.New("it begins with a byte order mark: leave that out")
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(twice))
	if err := d.SkipValue(); err != nil {
		if deep(raw) {
			return fmt.Errorf("it is nested more than %d levels deep", MaxDepth)
		}
		return errors.New(part(strings.TrimPrefix(err.Error(), "jsontext: ")))
	}
	return errors.New("something follows the value")
}

// deep reports whether objects and lists are nested more than [MaxDepth] levels.
func deep(raw []byte) bool {
	if bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) <= MaxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
