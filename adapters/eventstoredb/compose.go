package eventstoredb

import (
	"encoding/binary"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/atonehq/atone/domain"
)

// composer makes batches messages for BatchAppend, in memory that it uses again: a message is valid
// until the next one is made. It is not safe for concurrent use.
type composer struct {
	request     api.BatchAppendReq
	options     api.BatchAppendReq_Options
	correlation shared.UUID_Structured
	revision    api.BatchAppendReq_Options_StreamPosition
	// events grows to the largest batch that was composed.
	events []*api.BatchAppendReq_ProposedMessage
}

func newComposer() *composer {
	c := &composer{}
	c.options.StreamIdentifier = &shared.StreamIdentifier{}
	c.request.CorrelationId = &shared.UUID{Value: &shared.UUID_Structured_{Structured: &c.correlation}}
	c.correlation.MostSignificantBits = batchMark
	c.request.Options, c.request.IsFinal = &c.options, true
	return c
}

// compose returns the batch on the wire, whole in one part, under the correlation id.
func (c *composer) compose(id int64, b *batch) *api.BatchAppendReq {
	c.correlation.LeastSignificantBits = id
	name := c.options.StreamIdentifier
	name.StreamName = append(name.StreamName[:0], b.stream...)
	switch b.expected {
	case domain.AnyRevision:
		c.options.ExpectedStreamPosition = &api.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
	case domain.NoStream:
		c.options.ExpectedStreamPosition = &api.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	case domain.StreamExists:
		c.options.ExpectedStreamPosition = &api.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
	default:
		c.revision.StreamPosition = uint64(b.expected)
		c.options.ExpectedStreamPosition = &c.revision
	}
	for len(c.events) < len(b.events) {
		c.events = append(c.events, &api.BatchAppendReq_ProposedMessage{
			Id:       &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{}}},
			Metadata: make(map[string]string, 2),
		})
	}
	for i, e := range b.events {
		m := c.events[i]
		setID(m.Id.GetStructured(), e.ID)
		setMetadata(m.Metadata, e)
		m.CustomMetadata, m.Data = e.Metadata, e.Data
	}
	c.request.ProposedMessages = c.events[:len(b.events)]
	return &c.request
}

// keptEvents is how many events' messages are kept for the next batch.
const keptEvents = 64

// release lets go of the caller's memory.
func (c *composer) release() {
	for _, m := range c.request.ProposedMessages {
		m.CustomMetadata, m.Data = nil, nil
	}
	c.request.ProposedMessages = nil
	if len(c.events) > keptEvents {
		clear(c.events[keptEvents:])
		c.events = c.events[:keptEvents]
	}
}

// setMetadata sets what the server itself reads of an event.
func setMetadata(m map[string]string, e domain.NewEvent) {
	m[metaType], m[metaContentType] = e.Type, contentJSON
	if e.Binary {
		m[metaContentType] = contentBinary
	}
}

// setID sets the id in the form that every server takes.
func setID(to *shared.UUID_Structured, id uuid.UUID) {
	to.MostSignificantBits = int64(binary.BigEndian.Uint64(id[:8]))
	to.LeastSignificantBits = int64(binary.BigEndian.Uint64(id[8:]))
}
