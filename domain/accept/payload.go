package accept

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxPayload bounds one payload (an input, an output, an item, a signal), in bytes, so that it
	// fits an append together with its event.
	MaxPayload = 512 << 10
	// MaxDepth bounds how deep a payload's objects and lists are nested. encoding/json reads 10,000
	// levels; events, pages and clients' envelopes need some of them.
	MaxDepth = 1_000
)

// Payload refuses JSON that would not come back the same: text that is not JSON (RFC 8259) in
// UTF-8, that begins with a byte order mark, has a member twice in one object, has an escape for
// half a character, is nested deeper than [MaxDepth], or is longer than [MaxPayload]. It accepts
// numbers of any size, which are kept as written, and zero bytes, which mean no payload.
func Payload(what string, raw []byte) error {
	if err := Size(what, raw); err != nil {
		return err
	}
	return check(what, raw, false)
}

// Readable is [Payload] for values that code has computed, of any size. It accepts a member that
// occurs twice, because the work is already done; the bytes are kept as they are.
func Readable(what string, raw []byte) error { return check(what, raw, true) }

func check(what string, raw []byte, twice bool) error {
	if len(raw) == 0 {
		return nil
	}
	switch err := fault(raw, twice); {
	case errors.Is(err, errDeep):
		return fmt.Errorf("%s is nested more than %d levels deep: flatten it, or store it elsewhere and pass a reference", what, MaxDepth)
	case err != nil:
		return fmt.Errorf("%s is not valid JSON: %w", what, err)
	}
	return nil
}

// Size refuses a payload that does not fit an event of a run.
func Size(what string, raw []byte) error {
	if len(raw) > MaxPayload {
		return fmt.Errorf("%s is %d bytes of JSON; at most %d fit a run's stream: store it elsewhere and pass a reference", what, len(raw), MaxPayload)
	}
	return nil
}

// Document is [Payload] without a limit on the size. It is for bodies of requests, whose size the
// server limits.
func Document(raw []byte) error {
	switch err := fault(raw, false); {
	case errors.Is(err, errDeep):
		return fmt.Errorf("JSON nested more than %d levels deep", MaxDepth)
	case err != nil:
		return fmt.Errorf("not valid JSON: %w", err)
	}
	return nil
}

var errDeep = errors.New("nested too deep")

// fault says briefly what is wrong with a JSON text: [errDeep] if it is nested too deep.
func fault(raw []byte, twice bool) error {
	shallow := bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) <= MaxDepth
	if shallow && jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(twice)) {
		return nil
	}
	if bytes.HasPrefix(raw, []byte("\ufeff")) {
		return errors.New("it begins with a byte order mark: leave that out")
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(twice))
	for values := 0; ; {
		_, err := d.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && values == 1:
			return nil
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil && values == 1:
			return errFollows
		case err != nil:
			return errors.New(part(strings.TrimPrefix(err.Error(), "jsontext: ")))
		case d.StackDepth() > MaxDepth:
			return errDeep
		case d.StackDepth() > 0:
		case values == 1:
			return errFollows
		default:
			values++
		}
	}
}

var errFollows = errors.New("something follows the value")
