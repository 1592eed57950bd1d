package eventstoredb

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
	metaType        = "type"
	metaContentType = "content-type"
	metaCreated     = "created"
	contentJSON     = "application/json"
	contentBinary   = "application/octet-stream"

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

// decode never fails: what a server left out stays zero, as it is no reason to stop a
// reader for ever at one event.
func decode(e wireEvent) domain.Recorded {
	meta := e.GetMetadata()
	return domain.Recorded{
		NewEvent: domain.NewEvent{
			ID: readID(e.GetId()), Type: meta[metaType],
			Data: e.GetData(), Metadata: e.GetCustomMetadata(),
			Binary: meta[metaContentType] != contentJSON,
		},
		Stream:   string(e.GetStreamIdentifier().GetStreamName()),
		Revision: e.GetStreamRevision(),
		Position: readPosition(e.GetCommitPosition()),
		Created:  readCreated(meta[metaCreated]),
	}
}

// maxPosition is the largest position that a record can have: servers count with signed numbers.
const maxPosition = domain.Position(math.MaxInt64)

// readPosition reads a place in the log; what can't be one, as 2^64-1, which servers send
// for "none", is 0, which is before every event.
func readPosition(commit uint64) domain.Position {
	if p := domain.Position(commit); p <= maxPosition {
		return p
	}
	return 0
}

// readID understands both forms of an id; one that is neither is the zero UUID.
func readID(id *shared.UUID) uuid.UUID {
	if s := id.GetStructured(); s != nil {
		var u uuid.UUID
		binary.BigEndian.PutUint64(u[:8], uint64(s.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(u[8:], uint64(s.GetLeastSignificantBits()))
		return u
	}
	u, err := uuid.Parse(id.GetString_())
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
