package pebblelog

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// FuzzDecodeRecord feeds arbitrary bytes, with a checksum that fits, to the decoder: it
// must refuse them or decode something that encodes to a record of the same content.
func FuzzDecodeRecord(f *testing.F) {
	body, events := encodeEvents([]domain.NewEvent{
		{ID: uuid.New(), Type: "a.v1", Data: []byte(`{"x":1}`), Metadata: []byte(`{}`)},
		{ID: uuid.New(), Type: "b.v1", Data: []byte{0, 1, 2}, Binary: true},
	})
	r := &record{first: 7, streamID: 3, stream: "run-1", revision: 5, created: 1_700_000_000_000_000_000, events: events}
	f.Add(uint64(7), append(appendHeader(nil, r), body...))
	f.Add(uint64(0), []byte{})
	f.Add(uint64(1), make([]byte, 40))
	f.Fuzz(func(t *testing.T, first uint64, value []byte) {
		key := appendEventsKey(nil, domain.Position(first))
		if len(value) >= crcLen {
			seal(key, value)
		}
		h, err := decodeHead(key, value)
		if err != nil {
			return
		}
		var d decoder
		r, err := d.decode(h)
		if err != nil {
			return
		}
		body, _ := encodeEvents(r.events)
		again := append(appendHeader(nil, r), body...)
		seal(key, again)
		h2, err := decodeHead(key, again)
		require.NoError(t, err)
		r2, err := d.decode(h2)
		require.NoError(t, err)
		r.size, r2.size = 0, 0
		require.Equal(t, r, r2)
	})
}

// FuzzDamagedRecord changes one byte of a sealed record: it must never decode.
func FuzzDamagedRecord(f *testing.F) {
	f.Add([]byte("data"), uint16(9), byte(1))
	f.Fuzz(func(t *testing.T, data []byte, at uint16, flip byte) {
		body, events := encodeEvents([]domain.NewEvent{{ID: uuid.New(), Type: "a.v1", Data: data}})
		value := append(appendHeader(nil, &record{first: 1, streamID: 1, stream: "s", events: events}), body...)
		key := appendEventsKey(nil, 1)
		seal(key, value)
		_, err := decodeHead(key, value)
		require.NoError(t, err)
		if flip == 0 {
			return
		}
		value[int(at)%len(value)] ^= flip
		_, err = decodeHead(key, value)
		require.Error(t, err)
	})
}

// FuzzKeys checks that keys sort as the numbers in them do, and decode to them.
func FuzzKeys(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint64(3), uint64(4))
	f.Fuzz(func(t *testing.T, a, b, c, d uint64) {
		less := a < c || (a == c && b < d)
		require.Equal(t, less, bytes.Compare(appendStreamKey(nil, a, b), appendStreamKey(nil, c, d)) < 0)
		require.Equal(t, a < b, bytes.Compare(appendEventsKey(nil, domain.Position(a)), appendEventsKey(nil, domain.Position(b))) < 0)
		id, revision, err := parseStreamKey(appendStreamKey(nil, a, b))
		require.NoError(t, err)
		require.Equal(t, [2]uint64{a, b}, [2]uint64{id, revision})
		position, err := parseEventsKey(appendEventsKey(nil, domain.Position(c)))
		require.NoError(t, err)
		require.Equal(t, domain.Position(c), position)
		if d > 0 {
			entry := streamEntry{position: domain.Position(c), count: d}
			got, err := parseStreamEntry(appendStreamEntry(nil, entry))
			require.NoError(t, err)
			require.Equal(t, entry, got)
		}
	})
}

// FuzzEntries feeds arbitrary bytes to the decoders of keys and entries.
func FuzzEntries(f *testing.F) {
	f.Add([]byte("s"), []byte{})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if id, revision, err := parseStreamKey(key); err == nil {
			require.Equal(t, key, appendStreamKey(nil, id, revision))
		}
		if position, err := parseEventsKey(key); err == nil {
			require.Equal(t, key, appendEventsKey(nil, position))
		}
		if e, err := parseStreamEntry(value); err == nil {
			require.Positive(t, e.count)
		}
		if _, err := parseUint64(value); err == nil {
			require.Len(t, value, 8)
		}
	})
}
