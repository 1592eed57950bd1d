package pebblelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

const (
	recordVersion = 1
	flagBinary    = 1
	crcLen        = 4
	// minEventLen is the shortest encoding of an event: id, flags, a type of one byte, and
	// empty metadata and data.
	minEventLen = 16 + 1 + 2 + 1 + 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is the events of one append, as the log keeps them together.
type record struct {
	first    domain.Position
	streamID uint64
	stream   string
	revision uint64 // of the first event
	created  int64  // Unix nanoseconds
	events   []domain.NewEvent
	size     int // bytes of its encoded events
}

// recordOverhead and eventOverhead are about what a record, and each event in it, costs besides the
// events' bytes.
const (
	recordOverhead = 256
	eventOverhead  = 96
)

// cost is about how much memory the record keeps alive.
func (r *record) cost() int { return r.size + len(r.events)*eventOverhead + recordOverhead }

// last is the position of the record's last event.
func (r *record) last() domain.Position { return r.first + domain.Position(len(r.events)) - 1 }

// at returns the i-th event as the log's readers see it.
func (r *record) at(i int) domain.Recorded {
	return domain.Recorded{
		NewEvent: r.events[i], Stream: r.stream, Revision: r.revision + uint64(i),
		Position: r.first + domain.Position(i), Created: time.Unix(0, r.created).UTC(),
	}
}

// encodeEvents encodes the events into one new buffer, and returns it with events whose
// data and metadata lie in it: the log keeps nothing of the caller's memory.
func encodeEvents(events []domain.NewEvent) ([]byte, []domain.NewEvent) {
	size := 0
	for i := range events {
		size += minEventLen + 3*binary.MaxVarintLen32 + len(events[i].Type) + len(events[i].Metadata) + len(events[i].Data)
	}
	body, own := make([]byte, 0, size), make([]domain.NewEvent, len(events))
	for i := range events {
		e := &events[i]
		var flags byte
		if e.Binary {
			flags |= flagBinary
		}
		body = append(append(body, e.ID[:]...), flags)
		body = append(binary.AppendUvarint(body, uint64(len(e.Type))), e.Type...)
		own[i] = domain.NewEvent{ID: e.ID, Type: e.Type, Binary: e.Binary}
		body = binary.AppendUvarint(body, uint64(len(e.Metadata)))
		body, own[i].Metadata = appendPart(body, e.Metadata)
		body = binary.AppendUvarint(body, uint64(len(e.Data)))
		body, own[i].Data = appendPart(body, e.Data)
	}
	return body, own
}

// appendPart appends the bytes and also returns where they lie now.
func appendPart(body, part []byte) (longer, copied []byte) {
	body = append(body, part...)
	if len(part) == 0 {
		return body, nil
	}
	return body, body[len(body)-len(part) : len(body) : len(body)]
}

// appendHeader appends the record's value up to the encoded events, with a crc still to be
// set by seal.
func appendHeader(dst []byte, r *record) []byte {
	dst = append(dst, 0, 0, 0, 0, recordVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.created))
	dst = binary.AppendUvarint(dst, r.streamID)
	dst = binary.AppendUvarint(dst, r.revision)
	dst = binary.AppendUvarint(dst, uint64(len(r.events)))
	return append(binary.AppendUvarint(dst, uint64(len(r.stream))), r.stream...)
}

// seal writes the crc over key and value into the value.
func seal(key, value []byte) { binary.LittleEndian.PutUint32(value, checksum(key, value)) }

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value[crcLen:])
}

// decoder decodes records. It shares the strings that repeat; it is not safe for
// concurrent use.
type decoder struct{ strings map[string]string }

// maxShared bounds the strings that a decoder remembers.
const maxShared = 1024

func (d *decoder) share(b []byte) string {
	if s, ok := d.strings[string(b)]; ok {
		return s
	}
	if d.strings == nil || len(d.strings) >= maxShared {
		d.strings = make(map[string]string)
	}
	s := string(b)
	d.strings[s] = s
	return s
}

var errShort = errors.New("the record ends too early")

// recordHead is a record up to its events.
type recordHead struct {
	first              domain.Position
	streamID, revision uint64
	created            int64
	count              int
	stream             []byte // inside the value
	events             []byte // inside the value
}

// decodeHead checks the record's crc and decodes all but the events. It copies nothing.
func decodeHead(key, value []byte) (recordHead, error) {
	var h recordHead
	first, err := parseEventsKey(key)
	if err != nil {
		return h, err
	}
	if len(value) < crcLen+1+8 {
		return h, errShort
	}
	if got, want := checksum(key, value), binary.LittleEndian.Uint32(value); got != want {
		return h, fmt.Errorf("checksum %08x instead of %08x", got, want)
	}
	if value[crcLen] != recordVersion {
		return h, fmt.Errorf("record version %d instead of %d", value[crcLen], recordVersion)
	}
	h.first, h.created = first, int64(binary.BigEndian.Uint64(value[crcLen+1:]))
	rest := value[crcLen+9:]
	var count uint64
	for _, field := range []*uint64{&h.streamID, &h.revision, &count} {
		if *field, rest, err = uvarint(rest); err != nil {
			return h, err
		}
	}
	if h.stream, rest, err = part(rest); err != nil {
		return h, err
	}
	if count == 0 || count > uint64(len(rest)/minEventLen) {
		return h, fmt.Errorf("%d events in %d bytes", count, len(rest))
	}
	if uint64(h.first) > math.MaxInt64 || h.revision > math.MaxInt64 || h.first == 0 {
		return h, fmt.Errorf("position %d, revision %d", h.first, h.revision)
	}
	h.count, h.events = int(count), rest
	return h, nil
}

func (h *recordHead) last() domain.Position { return h.first + domain.Position(h.count) - 1 }

// decode decodes the events of the record too. What it returns shares no memory with the
// value that the head was decoded from.
func (d *decoder) decode(h recordHead) (*record, error) {
	r := &record{
		first: h.first, streamID: h.streamID, stream: d.share(h.stream), revision: h.revision,
		created: h.created, events: make([]domain.NewEvent, h.count), size: len(h.events),
	}
	rest := append(make([]byte, 0, len(h.events)), h.events...)
	for i := range r.events {
		if len(rest) < minEventLen {
			return nil, errShort
		}
		e := &r.events[i]
		e.ID, e.Binary = uuid.UUID(rest[:16]), rest[16]&flagBinary != 0
		rest = rest[17:]
		var name []byte
		var err error
		if name, rest, err = part(rest); err != nil {
			return nil, err
		}
		e.Type = d.share(name)
		for _, field := range []*[]byte{&e.Metadata, &e.Data} {
			if *field, rest, err = part(rest); err != nil {
				return nil, err
			}
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the last event", len(rest))
	}
	return r, nil
}

func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errShort
	}
	return v, b[n:], nil
}

// part reads a length and that many bytes; nil for none.
func part(b []byte) (field, rest []byte, err error) {
	n, rest, err := uvarint(b)
	if err != nil || n > uint64(len(rest)) {
		return nil, nil, errShort
	}
	if n == 0 {
		return nil, rest, nil
	}
	return rest[:n:n], rest[n:], nil
}

// largeRecord is how many events make a record large. Those who read a large record from the store
// at the same time share it.
const largeRecord = 1_000

// largeRecords remembers the large records in use, so that hundreds of slow readers of one append
// share one copy. It keeps no record alive.
type largeRecords struct {
	mu   sync.Mutex
	held map[domain.Position]weak.Pointer[record] // by first position
}

// decode is [decoder.decode], shared where the record is large. What it returns must not be
// changed.
func (l *largeRecords) decode(d *decoder, h recordHead) (*record, error) {
	if h.count < largeRecord {
		return d.decode(h)
	}
	// Held while decoding, too: whoever waits wants this record, or another of the few large ones.
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.held[h.first].Value(); r != nil {
		return r, nil
	}
	r, err := d.decode(h)
	if err != nil {
		return nil, err
	}
	if l.held == nil {
		l.held = make(map[domain.Position]weak.Pointer[record])
	}
	l.held[h.first] = weak.Make(r)
	runtime.AddCleanup(r, l.forget, h.first)
	return r, nil
}

// forget drops what is no longer held.
func (l *largeRecords) forget(first domain.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[first].Value() == nil { // else it was decoded anew meanwhile
		delete(l.held, first)
	}
}
