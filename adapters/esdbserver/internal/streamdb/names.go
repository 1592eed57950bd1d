package streamdb

import (
	"math"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Event types that EventStoreDB gives a meaning to.
const (
	// TypeTombstone is the last event of a stream that was deleted for ever.
	TypeTombstone = "$streamDeleted"
	// TypeMetadata is the type of the events of a metastream.
	TypeMetadata = "$metadata"
	// TypeLink is an event whose data, "N@stream", points to another event.
	TypeLink = "$>"
)

// Tombstoned is the event number of a tombstone, and the revision of a stream that has one.
const Tombstoned = math.MaxInt64

const (
	metaPrefix     = "$$"
	categoryPrefix = "$ce-"
	typePrefix     = "$et-"
)

// MaxNameLength is how many bytes the name of a stream may have: as many as the embedded log takes,
// less the prefix of its metastream. It also bounds the memory for what is remembered of streams.
const MaxNameLength = 4096 - len(metaPrefix)

// MetastreamOf returns the name of the stream that holds the metadata of the stream.
func MetastreamOf(stream string) string { return metaPrefix + stream }

// IsMetastream reports whether the stream holds the metadata of another one.
func IsMetastream(stream string) bool { return strings.HasPrefix(stream, metaPrefix) }

// OriginalOf returns the stream whose metadata the metastream holds.
func OriginalOf(metastream string) string { return strings.TrimPrefix(metastream, metaPrefix) }

// IsSystem reports whether the stream's name is in the space reserved for the database.
func IsSystem(stream string) bool { return strings.HasPrefix(stream, "$") }

// IsWritable reports whether a stream of this name can be appended to at all: not the
// empty name, not a metastream of nothing, not $all, and no computed stream.
func IsWritable(stream string) bool {
	return stream != "" && stream != metaPrefix && stream != "$all" && !IsVirtual(stream)
}

// Present returns the event as clients see it: a tombstone has the number [Tombstoned].
func Present(event domain.Recorded) domain.Recorded {
	if event.Type == TypeTombstone {
		event.Revision, event.Binary = Tombstoned, true
	}
	return event
}

// IsVirtual reports whether the stream is computed while it is read: $ce-C links the events
// of all streams whose name begins with C up to the first dash, $et-T the events of type T.
func IsVirtual(stream string) bool {
	return strings.HasPrefix(stream, categoryPrefix) || strings.HasPrefix(stream, typePrefix)
}
