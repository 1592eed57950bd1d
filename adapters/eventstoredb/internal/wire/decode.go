package wire

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Keys and values of the metadata that servers keep with an event.
const (
	MetaType        = "type"
	MetaContentType = "content-type"
	MetaCreated     = "created"
	ContentJSON     = "application/json"
	ContentBinary   = "application/octet-stream"

	// typeTombstone is the type of the event that ends a stream for ever.
	typeTombstone = "$streamDeleted"
)

// wireEvent is an event as both services send it.
type wireEvent interface {
	GetId() *shared.UUID
	GetStreamIdentifier() *shared.StreamIdentifier
	GetStreamRevision() uint64
	GetCommitPosition() uint64
	GetPreparePosition() uint64
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

// Decode never fails: what a server left out stays zero, so that one bad event can't stop a reader
// for ever.
func Decode(e wireEvent) domain.Recorded {
	meta := e.GetMetadata()
	return domain.Recorded{
		NewEvent: domain.NewEvent{
			ID: ReadID(e.GetId()), Type: meta[MetaType],
			Data: e.GetData(), Metadata: e.GetCustomMetadata(),
			Binary: meta[MetaContentType] != ContentJSON,
		},
		Stream:   string(e.GetStreamIdentifier().GetStreamName()),
		Revision: e.GetStreamRevision(),
		Position: ReadPosition(e.GetCommitPosition()),
		Created:  readCreated(meta[MetaCreated]),
	}
}

// MaxPosition is the largest position that a record can have: servers count with signed numbers.
const MaxPosition = domain.Position(math.MaxInt64)

// ReadPosition reads a place in the log. A number that is no place becomes 0, which is before every
// event: servers send 2^64-1 for "none".
func ReadPosition(commit uint64) domain.Position {
	if p := domain.Position(commit); p <= MaxPosition {
		return p
	}
	return 0
}

// ReadID understands both forms of an id; one that is neither is the zero UUID.
func ReadID(id *shared.UUID) uuid.UUID {
	if s := id.GetStructured(); s != nil {
		var u uuid.UUID
		binary.BigEndian.PutUint64(u[:8], uint64(s.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(u[8:], uint64(s.GetLeastSignificantBits()))
		return u
	}
	return parseID(id.GetString_())
}

func parseID(text string) uuid.UUID {
	u, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil
	}
	return u
}

// readCreated reads the number of 100 ns since the Unix epoch; anything else is the zero time.
func readCreated(ticks string) time.Time {
	n, err := strconv.ParseInt(ticks, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n/10_000_000, n%10_000_000*100).UTC()
}

// WireMetadata is what the server itself reads of an event.
func WireMetadata(e domain.NewEvent) map[string]string {
	m := make(map[string]string, 2)
	SetMetadata(m, e)
	return m
}

// WireID is the id in the form that every server takes.
func WireID(id uuid.UUID) *shared.UUID {
	structured := &shared.UUID_Structured{}
	SetID(structured, id)
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: structured}}
}

// SetMetadata sets what the server itself reads of an event.
func SetMetadata(m map[string]string, e domain.NewEvent) {
	m[MetaType], m[MetaContentType] = e.Type, contentType(e)
}

func contentType(e domain.NewEvent) string {
	if e.Binary {
		return ContentBinary
	}
	return ContentJSON
}

// SetID sets the id in the form that every server takes.
func SetID(to *shared.UUID_Structured, id uuid.UUID) {
	to.MostSignificantBits = int64(binary.BigEndian.Uint64(id[:8]))
	to.LeastSignificantBits = int64(binary.BigEndian.Uint64(id[8:]))
}
