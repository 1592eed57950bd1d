package streamdb

import (
	"bytes"
	"encoding/json"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Metadata is what a stream's newest metadata event says about it. A field that is nil
// was not given.
type Metadata struct {
	// MaxAge is how long after their creation events can be read, in whole seconds.
	MaxAge *time.Duration
	// MaxCount is how many of the newest events can be read.
	MaxCount *int64
	// TruncateBefore is the first event number that can be read; [Tombstoned] means that the
	// stream is soft-deleted.
	TruncateBefore *int64
	// ACL says who may do what with the stream.
	ACL *ACL
}

// ACL names, for each kind of access, the users and roles that have it. nil means that
// the stream does not say, and the default applies.
type ACL struct {
	Read, Write, Delete, MetaRead, MetaWrite []string
}

// ParseMetadata reads a metadata event's data. It ignores what it does not understand, as the
// original does: broken metadata cannot make a stream unreadable.
func ParseMetadata(data []byte) Metadata {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return Metadata{}
	}
	var m Metadata
	if n, ok := number(fields["$maxAge"]); ok && n > 0 {
		age := time.Duration(math.MaxInt64)
		if n < int64(age/time.Second) {
			age = time.Duration(n) * time.Second
		}
		m.MaxAge = &age
	}
	if n, ok := number(fields["$maxCount"]); ok && n > 0 {
		m.MaxCount = &n
	}
	if n, ok := number(fields["$tb"]); ok && n >= 0 {
		m.TruncateBefore = &n
	}
	m.ACL = parseACL(fields["$acl"])
	return m
}

func number(raw json.RawMessage) (int64, bool) {
	var n int64
	return n, len(raw) > 0 && !bytes.Equal(raw, []byte("null")) && json.Unmarshal(raw, &n) == nil
}

func parseACL(raw json.RawMessage) *ACL {
	var fields map[string]json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &fields) != nil || fields == nil {
		return nil
	}
	return &ACL{
		Read: principals(fields["$r"]), Write: principals(fields["$w"]), Delete: principals(fields["$d"]),
		MetaRead: principals(fields["$mr"]), MetaWrite: principals(fields["$mw"]),
	}
}

// principals reads one name or a list of names.
func principals(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil && len(raw) > 0 && raw[0] == '"' {
		return []string{one}
	}
	var many []string
	if len(raw) == 0 || json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return many
}

// withTruncateBefore returns the metadata document with $tb replaced and everything else
// kept byte for byte in meaning. A document that is no JSON object is replaced.
func withTruncateBefore(data []byte, tb int64) []byte {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(data, &fields) != nil || fields == nil {
		fields = map[string]json.RawMessage{}
	}
	fields["$tb"], _ = json.Marshal(tb)
	out, err := json.Marshal(fields)
	if err != nil { // each value came out of a JSON document
		out, _ = json.Marshal(map[string]int64{"$tb": tb})
	}
	return out
}

func newMetadataEvent(data []byte) domain.NewEvent {
	return domain.NewEvent{ID: uuid.New(), Type: TypeMetadata, Data: data}
}
