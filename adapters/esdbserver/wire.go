package esdbserver

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

var empty = &shared.Empty{}

// streamNamer is a request that names a stream.
type streamNamer interface {
	GetStreamIdentifier() *shared.StreamIdentifier
}

// errLongName refuses a name that no stream here can have.
var errLongName = invalidArgument("a stream name may have at most %d bytes", streamdb.MaxNameLength)

// streamName returns the identifier's name; it must be UTF-8, not empty and not too long.
func streamName(id *shared.StreamIdentifier) (string, error) {
	name := id.GetStreamName()
	if len(name) == 0 {
		return "", refused("a stream's name is required and must not be empty")
	}
	if !utf8.Valid(name) {
		return "", invalidArgument("the stream name is not valid UTF-8")
	}
	if len(streamdb.OriginalOf(string(name))) > streamdb.MaxNameLength {
		return "", errLongName
	}
	return string(name), nil
}

func streamID(name string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(name)}
}

// fromUUID reads either form that clients send.
func fromUUID(id *shared.UUID) (uuid.UUID, error) {
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		var out uuid.UUID
		binary.BigEndian.PutUint64(out[:8], uint64(v.Structured.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(out[8:], uint64(v.Structured.GetLeastSignificantBits()))
		return out, nil
	case *shared.UUID_String_:
		out, err := uuid.Parse(v.String_)
		if err != nil {
			return uuid.Nil, refused("%q is no UUID", v.String_)
		}
		return out, nil
	}
	return uuid.Nil, refused("an id is required")
}

// toUUID writes the form that the client asked for.
func toUUID(id uuid.UUID, structured bool) *shared.UUID {
	if !structured {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

// eventMetadata is what the server says of every event beside its content.
func eventMetadata(e *domain.Recorded) map[string]string {
	contentType := contentJSON
	if e.Binary {
		contentType = contentBinary
	}
	return map[string]string{"type": e.Type, "content-type": contentType, "created": strconv.FormatInt(ticks(e.Created), 10)}
}

// ticks counts the 100 ns intervals since the Unix epoch.
func ticks(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()*1e7 + int64(t.Nanosecond()/100)
}

// proposed is the common part of the two messages that carry an event to be appended.
type proposed interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

func newEvent(p proposed) (domain.NewEvent, error) {
	id, err := fromUUID(p.GetId())
	if err != nil {
		return domain.NewEvent{}, err
	}
	if id == uuid.Nil {
		return domain.NewEvent{}, refused("an event's id must not be empty")
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
		return domain.NewEvent{}, refused("an event's type must not be empty")
	}
	return domain.NewEvent{
		ID: id, Type: eventType, Data: p.GetData(), Metadata: p.GetCustomMetadata(), Binary: contentType != contentJSON,
	}, nil
}

// exactRevision checks a revision that a client expects a stream to have. The highest number is
// that of no event, and what clients get back from an append of nothing: no stream.
func exactRevision(n uint64) (domain.Expected, error) {
	if n == math.MaxUint64 {
		return domain.NoStream, nil
	}
	if n > math.MaxInt64 {
		return 0, refused("%d is no stream revision", n)
	}
	return domain.Expected(n), nil
}
