package domain

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Meta is what atone keeps in the metadata of each event of a run.
type Meta struct {
	// CorrelationID is the id of the outermost run; CausationID the id of the event
	// that led to this one. Both names are EventStoreDB's own.
	CorrelationID string `json:"$correlationId,omitempty"`
	CausationID   string `json:"$causationId,omitempty"`
	// At is when the event was decided, by the coordinator's clock.
	At time.Time `json:"at"`
	// Actor is who caused it: a person, a token's name, or the coordinator.
	Actor string `json:"actor,omitempty"`
	// Trace is the W3C traceparent of the run.
	Trace string `json:"traceparent,omitempty"`
	// Clock is set where the clock of the times changes with this event.
	Clock Clock `json:"clock,omitzero"`
	// Wake is set on the last event of each append, see [Wake].
	Wake Wake `json:"wake,omitzero"`
	// Secret lists the redacted fields of an event that an action emitted.
	Secret []string `json:"secret,omitempty"`
	// Hash is the chain hash, see [Seal].
	Hash string `json:"hash,omitempty"`
}

// Wake says, on the last event of an append, when the run next needs a coordinator's attention.
// With it, recovery skips runs without loading them.
type Wake struct {
	// State is the run's state after the append.
	State RunState `json:"state,omitempty"`
	// Due is when the next timer of the run fires; zero when it has none.
	Due time.Time `json:"due,omitzero"`
	// Instant is the earliest instant that somebody named (the end of a SleepUntil, a RunDeadline),
	// if there is one. Due is no later than it. It follows the wall clock, whatever that is set to.
	Instant time.Time `json:"instant,omitzero"`
	// Busy means that something besides a timer is owed: an attempt in flight, a child.
	Busy bool `json:"busy,omitempty"`
	// Events means that the run awaits a domain event.
	Events bool `json:"events,omitempty"`
	// Node is the coordinator that appended, where several share the log.
	Node string `json:"node,omitempty"`
}

// Fact is an event of a run with its position and metadata. A run's state is folded from facts.
type Fact struct {
	Event    Event
	Meta     Meta
	ID       uuid.UUID
	Revision uint64
}

// ChainHash is a link of a run's hash chain.
type ChainHash [sha256.Size]byte

// String returns the hash in unpadded URL-safe base64, 43 characters.
func (h ChainHash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// ParseChainHash reads what [ChainHash.String] wrote.
func ParseChainHash(s string) (ChainHash, error) {
	var h ChainHash
	n, err := base64.RawURLEncoding.Decode(h[:], []byte(s))
	if len(s) != base64.RawURLEncoding.EncodedLen(len(h)) || err != nil || n != len(h) {
		return h, fmt.Errorf("%q is not a chain hash", s)
	}
	return h, nil
}

// ErrTampered means that an event's hash does not match its content and predecessor.
var ErrTampered = errors.New("chain hash does not match")

// Seal turns an event of a run into a log event. It writes the data and metadata, links it to the
// hash of the event before (the zero hash for the first), and derives the event's id from that
// link, so the id depends on run, revision and the whole content.
//
// The chain hash is SHA-256 over previous hash, stream, revision, type, data and the
// metadata without its last member, "hash", each preceded by its length.
func Seal(stream string, revision uint64, prev ChainHash, e Event, m Meta) (NewEvent, ChainHash) {
	sealed, h, _ := AppendSealed(make([]byte, 0, 640), stream, revision, prev, e, m)
	return sealed, h
}

// AppendSealed is [Seal] for several events of one append: it appends to buf and returns the longer
// buffer for the next event. The event's data and metadata are slices of that buffer.
func AppendSealed(buf []byte, stream string, revision uint64, prev ChainHash, e Event, m Meta) (NewEvent, ChainHash, []byte) {
	w := objectWriter{buf: buf}
	start := len(buf)
	if d, ok := e.(*DomainEvent); ok {
		w.buf = append(w.buf, OrNull(d.Payload)...)
		m.Secret = d.Secret
	} else {
		w.open()
		e.fields(&w)
		w.close()
	}
	split := len(w.buf)
	w.open()
	m.fields(&w)
	h := linkHash(prev, stream, revision, e.WireName(), w.buf[start:split], w.buf[split:])
	w.name("hash")
	w.buf = append(w.buf, '"')
	w.buf = base64.RawURLEncoding.AppendEncode(w.buf, h[:])
	w.buf = append(w.buf, '"')
	w.close()
	end := len(w.buf)
	return NewEvent{
		ID:       eventID(h),
		Type:     e.WireName(),
		Data:     w.buf[start:split:split],
		Metadata: w.buf[split:end:end],
	}, h, w.buf
}

// eventID is the UUID (version 5) of a chain hash in the name space of events.
func eventID(h ChainHash) uuid.UUID {
	var name [len(eventSpace) + len(h)]byte
	copy(name[:], eventSpace[:])
	copy(name[len(eventSpace):], h[:])
	sum := sha1.Sum(name[:]) // RFC 9562, section 5.5: not used for security
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

func (m *Meta) fields(w *objectWriter) {
	w.optStr("$correlationId", m.CorrelationID)
	w.optStr("$causationId", m.CausationID)
	w.time("at", m.At)
	w.optStr("actor", m.Actor)
	w.optStr("traceparent", m.Trace)
	if m.Clock != (Clock{}) {
		w.name("clock")
		w.open()
		m.Clock.fields(w)
		w.close()
	}
	if m.Wake != (Wake{}) {
		w.name("wake")
		w.open()
		w.optStr("state", string(m.Wake.State))
		w.time("due", m.Wake.Due)
		w.time("instant", m.Wake.Instant)
		w.flag("busy", m.Wake.Busy)
		w.flag("events", m.Wake.Events)
		w.optStr("node", m.Wake.Node)
		w.close()
	}
	w.strs("secret", m.Secret)
}

func linkHash(prev ChainHash, stream string, revision uint64, wireName string, data, meta []byte) ChainHash {
	pooled := hashBuffers.Get().(*[]byte)
	b := append((*pooled)[:0], prev[:]...)
	b = appendSized(b, []byte(stream))
	b = strconv.AppendUint(b, revision, 10)
	b = append(b, ':')
	b = appendSized(b, []byte(wireName))
	b = appendSized(b, data)
	b = appendSized(b, meta)
	h := ChainHash(sha256.Sum256(b))
	*pooled = b
	hashBuffers.Put(pooled)
	return h
}

// hashBuffers are the buffers in which [linkHash] collects its input.
var hashBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

func appendSized(b, part []byte) []byte {
	b = strconv.AppendInt(b, int64(len(part)), 10)
	b = append(b, ':')
	return append(b, part...)
}

// hashMember begins the last member of the metadata; hashTail is that member's whole length.
var hashMember = []byte(`,"hash":"`)

const hashTail = len(`,"hash":"`) + 43 + len(`"}`)

// Verify checks that a recorded event of a run follows the event with the hash prev, and returns
// its own hash. Otherwise the error is [ErrTampered].
func Verify(r *Recorded, prev ChainHash) (ChainHash, error) {
	var h ChainHash
	if len(r.Metadata) < hashTail {
		return h, fmt.Errorf("%s revision %d has no hash: %w", r.Stream, r.Revision, ErrTampered)
	}
	cut := len(r.Metadata) - hashTail
	tail := r.Metadata[cut:]
	if !bytes.HasPrefix(tail, hashMember) || !bytes.HasSuffix(tail, []byte(`"}`)) {
		return h, fmt.Errorf("%s revision %d has no hash: %w", r.Stream, r.Revision, ErrTampered)
	}
	h = linkHash(prev, r.Stream, r.Revision, r.Type, r.Data, r.Metadata[:cut])
	if stored := string(tail[len(hashMember) : len(tail)-2]); stored != h.String() {
		return h, fmt.Errorf("%s revision %d (%s): %w", r.Stream, r.Revision, r.Type, ErrTampered)
	}
	if r.ID != eventID(h) {
		return h, fmt.Errorf("%s revision %d (%s): its id was changed: %w", r.Stream, r.Revision, r.Type, ErrTampered)
	}
	return h, nil
}

// DecodeMeta reads the metadata of an event of a run.
func DecodeMeta(b []byte) (Meta, error) {
	var m Meta
	if len(b) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("decode metadata: %w", err)
	}
	return m, nil
}

// DecodeFact reads an event of a run as the log recorded it.
func DecodeFact(r *Recorded) (Fact, error) {
	e, err := DecodeEvent(r.Type, r.Data)
	if err != nil {
		return Fact{}, fmt.Errorf("%s revision %d: %w", r.Stream, r.Revision, err)
	}
	m, err := DecodeMeta(r.Metadata)
	if err != nil {
		return Fact{}, fmt.Errorf("%s revision %d: %w", r.Stream, r.Revision, err)
	}
	if d, ok := e.(*DomainEvent); ok {
		d.Secret = m.Secret
	}
	return Fact{Event: e, Meta: m, ID: r.ID, Revision: r.Revision}, nil
}
