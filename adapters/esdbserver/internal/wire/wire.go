package wire

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

const (
	contentJSON   = "application/json"
	contentBinary = "application/octet-stream"
)

var Empty = &shared.Empty{}

// StreamNamer is a request that names a stream.
type StreamNamer interface {
	GetStreamIdentifier() *shared.StreamIdentifier
}

// ErrLongName refuses a name that no stream here can have.
var ErrLongName = InvalidArgument("a stream name may have at most %d bytes", streamdb.MaxNameLength)

// StreamName returns the identifier's name; it must be UTF-8, not empty and not too long.
func StreamName(id *shared.StreamIdentifier) (string, error) {
	name := id.GetStreamName()
	if len(name) == 0 {
		return "", Refused("a stream's name is required and must not be empty")
	}
	if !utf8.Valid(name) {
		return "", InvalidArgument("the stream name is not valid UTF-8")
	}
	if len(streamdb.OriginalOf(string(name))) > streamdb.MaxNameLength {
		return "", ErrLongName
	}
	return string(name), nil
}

func StreamID(name string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(name)}
}

// FromUUID reads either form that clients send.
func FromUUID(id *shared.UUID) (uuid.UUID, error) {
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		var out uuid.UUID
		binary.BigEndian.PutUint64(out[:8], uint64(v.Structured.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(out[8:], uint64(v.Structured.GetLeastSignificantBits()))
		return out, nil
	case *shared.UUID_String_:
		out, err := uuid.Parse(v.String_)
		if err != nil {
			return uuid.Nil, Refused("%q is not a UUID", v.String_)
		}
		return out, nil
	}
	return uuid.Nil, Refused("an id is required")
}

// ToUUID writes the form that the client asked for.
func ToUUID(id uuid.UUID, structured bool) *shared.UUID {
	if !structured {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

// EventMetadata returns what the server says of every event besides its content.
func EventMetadata(e *domain.Recorded) map[string]string {
	contentType := contentJSON
	if e.Binary {
		contentType = contentBinary
	}
	return map[string]string{"type": e.Type, "content-type": contentType, "created": strconv.FormatInt(Ticks(e.Created), 10)}
}

// Ticks counts the 100 ns intervals since the Unix epoch.
func Ticks(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()*1e7 + int64(t.Nanosecond()/100)
}

// Proposed is the common part of the two messages that carry an event to be appended.
type Proposed interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

func NewEvent(p Proposed) (domain.NewEvent, error) {
	id, err := FromUUID(p.GetId())
	if err != nil {
		return domain.NewEvent{}, err
	}
	if id == uuid.Nil {
		return domain.NewEvent{}, Refused("an event's id must not be empty")
	}
	eventType, ok := p.GetMetadata()["type"]
	if !ok {
		return domain.NewEvent{}, missingMetadata("type")
	}
	contentType, ok := p.GetMetadata()["content-type"]
	if !ok {
		return domain.NewEvent{}, missingMetadata("content-type")
	}
	if eventType == "" {
		return domain.NewEvent{}, Refused("an event's type must not be empty")
	}
	return domain.NewEvent{
		ID: id, Type: eventType, Data: p.GetData(), Metadata: p.GetCustomMetadata(), Binary: contentType != contentJSON,
	}, nil
}

// ExactRevision checks a revision that a client expects a stream to have. The highest number means
// that there is no stream: clients get it back from an append of no events.
func ExactRevision(n uint64) (domain.Expected, error) {
	if n == math.MaxUint64 {
		return domain.NoStream, nil
	}
	if n > math.MaxInt64 {
		return 0, Refused("%d is not a stream revision", n)
	}
	return domain.Expected(n), nil
}
