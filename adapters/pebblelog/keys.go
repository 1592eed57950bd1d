package pebblelog

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// The first byte of a key says what the entry is. The package documentation describes the
// entries.
const (
	kindEvents  = 'e'
	kindID      = 'i'
	kindName    = 'n'
	kindStream  = 's'
	kindIndexed = 'x'
)

const (
	eventsKeyLen = 1 + 8
	streamKeyLen = 1 + 8 + 8
	idKeyLen     = 1 + 8 + 16
)

func appendEventsKey(dst []byte, first domain.Position) []byte {
	return binary.BigEndian.AppendUint64(append(dst, kindEvents), uint64(first))
}

func parseEventsKey(key []byte) (domain.Position, error) {
	if len(key) != eventsKeyLen || key[0] != kindEvents {
		return 0, fmt.Errorf("%x is not the key of a record", key)
	}
	return domain.Position(binary.BigEndian.Uint64(key[1:])), nil
}

func appendStreamKey(dst []byte, id, revision uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(append(dst, kindStream), id), revision)
}

func parseStreamKey(key []byte) (id, revision uint64, err error) {
	if len(key) != streamKeyLen || key[0] != kindStream {
		return 0, 0, fmt.Errorf("%x is not the key of a stream entry", key)
	}
	return binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint64(key[9:]), nil
}

// streamEntry is the value of an 's' entry: an append of count events, the first at position.
type streamEntry struct {
	position domain.Position
	count    uint64
}

func appendStreamEntry(dst []byte, e streamEntry) []byte {
	return binary.AppendUvarint(binary.BigEndian.AppendUint64(dst, uint64(e.position)), e.count)
}

func parseStreamEntry(value []byte) (streamEntry, error) {
	if len(value) < 9 {
		return streamEntry{}, fmt.Errorf("a stream entry of %d bytes", len(value))
	}
	count, n := binary.Uvarint(value[8:])
	if n != len(value)-8 || count == 0 {
		return streamEntry{}, fmt.Errorf("%x is not a stream entry", value)
	}
	return streamEntry{position: domain.Position(binary.BigEndian.Uint64(value)), count: count}, nil
}

func appendNameKey(dst []byte, name string) []byte { return append(append(dst, kindName), name...) }

func appendIDKey(dst []byte, stream uint64, id uuid.UUID) []byte {
	return append(binary.BigEndian.AppendUint64(append(dst, kindID), stream), id[:]...)
}

func appendIndexedKey(dst []byte, stream uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, kindIndexed), stream)
}

// parseUint64 reads the value of an 'n', 'i' or 'x' entry.
func parseUint64(value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, fmt.Errorf("a number of %d bytes instead of 8", len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// kindOptions bounds an iterator to the entries of one kind.
func kindOptions(kind byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}}
}
