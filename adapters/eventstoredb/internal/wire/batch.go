package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/atonehq/atone/domain"
)

// Batch is a BatchAppendReq: an append, whole in one part.
type Batch struct {
	// ID is the number in the correlation id.
	ID       int64
	Stream   string
	Expected domain.Expected
	Events   []domain.NewEvent
}

// batchMark is the upper half of the correlation ids, which every call numbers from 1.
const batchMark = 0x61746f6e65 // "atone"

// Encoded is a message as it goes to the network. It is sent once.
type Encoded struct{ buffer mem.Buffer }

// Encode returns the batch as a message, in memory of its own.
func (b *Batch) Encode() Encoded {
	pool := mem.DefaultBufferPool()
	correlation, options := idSize(batchMark, uint64(b.ID)), b.optionsSize()
	size := fieldSize(1, correlation) + fieldSize(2, options) + protowire.SizeTag(4) + 1
	for i := range b.Events {
		size += fieldSize(3, proposedSize(&b.Events[i]))
	}
	memory := pool.Get(size)
	m := appendID((*memory)[:0], 1, batchMark, uint64(b.ID))
	m = b.appendOptions(m, options)
	for i := range b.Events {
		m = appendProposed(m, &b.Events[i])
	}
	m = appendNumber(m, 4, 1) // is_final
	*memory = m
	return Encoded{mem.NewBuffer(memory, pool)}
}

// optionsSize is the size of the batch's Options.
func (b *Batch) optionsSize() int {
	size := fieldSize(1, fieldSize(3, len(b.Stream)))
	if b.Expected >= 0 {
		return size + protowire.SizeTag(2) + protowire.SizeVarint(uint64(b.Expected))
	}
	return size + fieldSize(3, 0)
}

func (b *Batch) appendOptions(m []byte, size int) []byte {
	m = appendHead(m, 2, size)
	m = appendHead(m, 1, fieldSize(3, len(b.Stream)))
	m = protowire.AppendString(protowire.AppendTag(m, 3, protowire.BytesType), b.Stream)
	switch b.Expected {
	case domain.NoStream:
		return appendHead(m, 3, 0)
	case domain.AnyRevision:
		return appendHead(m, 4, 0)
	case domain.StreamExists:
		return appendHead(m, 5, 0)
	default:
		return appendNumber(m, 2, uint64(b.Expected))
	}
}

// proposedSize is the size of an event's ProposedMessage.
func proposedSize(e *domain.NewEvent) int {
	high, low := halves(e.ID)
	size := fieldSize(1, idSize(high, low)) +
		fieldSize(2, entrySize(MetaType, e.Type)) + fieldSize(2, entrySize(MetaContentType, contentType(*e)))
	if len(e.Metadata) > 0 {
		size += fieldSize(3, len(e.Metadata))
	}
	if len(e.Data) > 0 {
		size += fieldSize(4, len(e.Data))
	}
	return size
}

func appendProposed(m []byte, e *domain.NewEvent) []byte {
	m = appendHead(m, 3, proposedSize(e))
	high, low := halves(e.ID)
	m = appendID(m, 1, high, low)
	m = appendEntry(m, MetaType, e.Type)
	m = appendEntry(m, MetaContentType, contentType(*e))
	if len(e.Metadata) > 0 {
		m = append(appendHead(m, 3, len(e.Metadata)), e.Metadata...)
	}
	if len(e.Data) > 0 {
		m = append(appendHead(m, 4, len(e.Data)), e.Data...)
	}
	return m
}

// entrySize is the size of an entry of a map of strings.
func entrySize(key, value string) int { return fieldSize(1, len(key)) + fieldSize(2, len(value)) }

func appendEntry(m []byte, key, value string) []byte {
	m = appendHead(m, 2, entrySize(key, value))
	m = append(appendHead(m, 1, len(key)), key...)
	return append(appendHead(m, 2, len(value)), value...)
}

// idSize is the size of a UUID in its structured form, which every server takes.
func idSize(high, low uint64) int { return fieldSize(1, halfSize(high)+halfSize(low)) }

func halfSize(half uint64) int {
	if half == 0 {
		return 0
	}
	return protowire.SizeTag(1) + protowire.SizeVarint(half)
}

func appendID(m []byte, number protowire.Number, high, low uint64) []byte {
	m = appendHead(m, number, idSize(high, low))
	m = appendHead(m, 1, halfSize(high)+halfSize(low))
	if high != 0 {
		m = appendNumber(m, 1, high)
	}
	if low != 0 {
		m = appendNumber(m, 2, low)
	}
	return m
}

func halves(id uuid.UUID) (high, low uint64) {
	return binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
}

// fieldSize is the size of a field of so many bytes.
func fieldSize(number protowire.Number, size int) int {
	return protowire.SizeTag(number) + protowire.SizeBytes(size)
}

// appendHead begins a field of so many bytes.
func appendHead(m []byte, number protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(m, number, protowire.BytesType), uint64(size))
}

func appendNumber(m []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(m, number, protowire.VarintType), value)
}

// BatchAnswer is a BatchAppendResp. One serves for all answers of a call.
type BatchAnswer struct {
	// ID is the number in the correlation id; 0 is nobody's.
	ID int64
	// Refused is why the batch was refused; nil where it was not.
	Refused *rpcstatus.Status
	// Taken says that the batch was taken; the fields below belong to it.
	Taken bool
	// Revision is that of the last event. NoStream says that the stream still does not exist.
	Revision uint64
	NoStream bool
	// Position is that of the last event, or 0 where the server does not tell it.
	Position domain.Position
}

// unmarshal reads a BatchAppendResp.
func (a *BatchAnswer) unmarshal(message []byte) error {
	*a = BatchAnswer{}
	var correlation id
	s := scan(message)
	for s.next() {
		var err error
		switch s.tag {
		case 1<<3 | bytes:
			err = correlation.read(s.bytes)
		case 2<<3 | bytes:
			err = a.refuse(s.bytes)
		case 3<<3 | bytes:
			if !a.Taken {
				*a = BatchAnswer{Taken: true}
			}
			err = a.readSuccess(s.bytes)
		}
		if err != nil {
			return err
		}
	}
	if u := correlation.uuid(); binary.BigEndian.Uint64(u[:8]) == batchMark {
		a.ID = int64(binary.BigEndian.Uint64(u[8:]))
	}
	return s.err
}

// refuse reads an error.
func (a *BatchAnswer) refuse(message []byte) error {
	if a.Refused == nil {
		*a = BatchAnswer{Refused: new(rpcstatus.Status)}
	}
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(message, a.Refused); err != nil {
		return fmt.Errorf("read the error of a batch: %w", err)
	}
	return nil
}

// readSuccess reads a Success.
func (a *BatchAnswer) readSuccess(message []byte) error {
	s := scan(message)
	for s.next() {
		switch s.tag {
		case 1<<3 | numbers:
			a.Revision, a.NoStream = s.number, false
		case 2<<3 | bytes:
			a.Revision, a.NoStream = 0, true
		case 3<<3 | bytes:
			position := scan(s.bytes)
			for position.next() {
				if position.tag == 1<<3|numbers {
					a.Position = ReadPosition(position.number)
				}
			}
			if position.err != nil {
				return position.err
			}
		case 4<<3 | bytes:
			a.Position = 0
		}
	}
	return s.err
}
