package wire

import (
	"encoding/binary"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protowire"
)

// scanner goes through the fields of a message, in the order in which they lie there.
type scanner struct {
	rest []byte
	err  error

	// tag is the present field's, with the kind of its value.
	tag uint64
	// number is the value of a field of whole numbers, bytes that of strings, bytes and messages;
	// it lies in the message.
	number uint64
	bytes  []byte
}

// The kinds of values that are read. A field of another kind than expected is treated as unknown,
// as in the generated code.
const (
	numbers = uint64(protowire.VarintType)
	bytes   = uint64(protowire.BytesType)
)

// scan returns a scanner of the message.
func scan(message []byte) scanner { return scanner{rest: message} }

// next goes to the next field. It reports false at the end, and where the message is broken: err
// then says how.
func (s *scanner) next() bool {
	if len(s.rest) == 0 || s.err != nil {
		return false
	}
	number, kind, n := protowire.ConsumeTag(s.rest)
	if n < 0 {
		return s.fail(n)
	}
	s.tag, s.number, s.bytes = protowire.EncodeTag(number, kind), 0, nil
	s.rest = s.rest[n:]
	switch kind {
	case protowire.VarintType:
		s.number, n = protowire.ConsumeVarint(s.rest)
	case protowire.BytesType:
		s.bytes, n = protowire.ConsumeBytes(s.rest)
	default:
		n = protowire.ConsumeFieldValue(number, kind, s.rest)
	}
	if n < 0 {
		return s.fail(n)
	}
	s.rest = s.rest[n:]
	return true
}

func (s *scanner) fail(n int) bool {
	s.err = protowire.ParseError(n)
	return false
}

// id is an event's id in either form.
type id struct {
	structured bool
	high, low  uint64
	text       []byte
}

// read reads a UUID.
func (i *id) read(message []byte) error {
	s := scan(message)
	for s.next() {
		switch s.tag {
		case 1<<3 | bytes:
			if !i.structured {
				*i = id{structured: true}
			}
			if err := i.readHalves(s.bytes); err != nil {
				return err
			}
		case 2<<3 | bytes:
			*i = id{text: s.bytes}
		}
	}
	return s.err
}

func (i *id) readHalves(message []byte) error {
	s := scan(message)
	for s.next() {
		switch s.tag {
		case 1<<3 | numbers:
			i.high = s.number
		case 2<<3 | numbers:
			i.low = s.number
		}
	}
	return s.err
}

// uuid returns the id; one that is in neither form is the zero UUID.
func (i *id) uuid() (u uuid.UUID) {
	if !i.structured {
		return parseID(string(i.text))
	}
	binary.BigEndian.PutUint64(u[:8], i.high)
	binary.BigEndian.PutUint64(u[8:], i.low)
	return u
}
