package eventstoredb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

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
		wire.SetID(m.Id.GetStructured(), e.ID)
		wire.SetMetadata(m.Metadata, e)
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

// batchMark is the upper half of the correlation ids, which every call numbers from 1.
const batchMark = 0x61746f6e65 // "atone"

// readCorrelation reads the number of a batch from either form of its id; 0 is nobody's.
func readCorrelation(id *shared.UUID) int64 {
	u := wire.ReadID(id)
	if binary.BigEndian.Uint64(u[:8]) != batchMark {
		return 0
	}
	return int64(binary.BigEndian.Uint64(u[8:]))
}

// batch is one append, the same in every attempt.
type batch struct {
	stream   string
	expected domain.Expected
	events   []domain.NewEvent
}

// receipt is a server's acknowledgement of a batch.
type receipt struct {
	revision uint64
	// position is that of the last event, or 0 where the server does not tell it.
	position domain.Position
	// noStream says that the stream still does not exist: there were no events.
	noStream bool
}

// check refuses what the server would refuse, before anything is sent.
func (b *batch) check() error {
	switch b.stream {
	case "":
		return errors.New("the stream has no name: give one")
	case "$$":
		return errors.New("a stream can't be called $$: choose another name")
	}
	switch {
	case b.expected >= 0, b.expected == domain.NoStream, b.expected == domain.AnyRevision, b.expected == domain.StreamExists:
	default:
		return fmt.Errorf("expected revision %d is neither a revision nor one of the domain's constants", int64(b.expected))
	}
	size := 0
	for i, e := range b.events {
		if e.ID == uuid.Nil {
			return fmt.Errorf("event %d has no id: give each event its own", i)
		}
		if e.Type == "" {
			return fmt.Errorf("event %d has no type: give its wire name", i)
		}
		if !utf8.ValidString(e.Type) {
			return fmt.Errorf("the type %q of event %d is not UTF-8: the protocol can't carry it", e.Type, i)
		}
		size += e.Size()
	}
	if size > domain.MaxAppendSize {
		return fmt.Errorf("%w: %d bytes, at most %d: write fewer or smaller events at once", domain.ErrTooLarge, size, domain.MaxAppendSize)
	}
	return nil
}

// acknowledged holds an acknowledgement against what was asked.
func (b *batch) acknowledged(a receipt) error {
	if b.expected >= 0 && !a.noStream && a.revision != uint64(b.expected)+uint64(len(b.events)) {
		return fmt.Errorf("the server acknowledged revision %d for %d events after revision %d: read the stream", a.revision, len(b.events), b.expected)
	}
	return nil
}

// conflict is the refusal of a batch whose stream stands at another revision.
func (b *batch) conflict(actual domain.Expected) error {
	return &domain.ConflictError{Stream: b.stream, Expected: b.expected, Actual: actual}
}
