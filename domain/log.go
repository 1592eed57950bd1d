package domain

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
)

// MaxAppendSize is the largest sum of [NewEvent.Size] that one append may have, in
// bytes. It stays below KurrentDB's default of 1 MiB so that every log engine
// accepts what one of them accepted.
const MaxAppendSize = 1<<20 - 4096

// Position is an event's place in the order of the whole log. It grows from event to event,
// with gaps of any size: on a server it is a byte offset. 0 is before the first event.
//
// Positions are given by the log and never computed with. Two of one log may be compared, for
// equality and for order. A sum or a difference says nothing: to know how many events lie between
// two positions, count them; to begin before an event, keep the position of its predecessor, or
// ask [Log.ReadAllBackward] for it.
//
// The positions that may be given to a log are 0, [EndPosition], and those that it gave itself: of
// a [Recorded], an [Appended] with events, or a [Delivery]. A log that is given another one fails
// with [ErrBadPosition] where it can tell. It cannot always: past its end, a server's subscription
// may skip events in silence. So a position that was stored outside of the log is checked before it
// is used.
type Position uint64

// Possible reports whether an event can have the position. 0, [EndPosition] and whatever does not
// fit into a signed integer belong to no event; servers have sent such a number as a checkpoint.
func (p Position) Possible() bool { return p > 0 && p <= math.MaxInt64 }

// Expected says at which revision a stream must stand for an append to be accepted:
// an exact revision (0, 1, 2 …, the number of the stream's last event) or one of the
// constants below.
type Expected int64

const (
	// NoStream accepts the append only when the stream has no events.
	NoStream Expected = -1
	// AnyRevision accepts the append at whatever revision the stream stands.
	AnyRevision Expected = -2
	// StreamExists accepts the append only when the stream has at least one event.
	StreamExists Expected = -4
)

// String returns the revision, or the constant's name.
func (e Expected) String() string {
	switch e {
	case NoStream:
		return "no stream"
	case AnyRevision:
		return "any"
	case StreamExists:
		return "stream exists"
	}
	return fmt.Sprint(int64(e))
}

// NewEvent is an event to be appended.
type NewEvent struct {
	// ID makes a repeated append recognisable; it is never the zero UUID.
	ID uuid.UUID
	// Type is the wire name, never empty.
	Type string
	// Data and Metadata are kept byte for byte. Metadata may be empty.
	Data, Metadata []byte
	// Binary marks data that is not JSON (content type application/octet-stream).
	Binary bool
}

// Size is what the event counts towards [MaxAppendSize], in bytes: data, metadata
// and twice the type's length (KurrentDB's own rule).
func (e NewEvent) Size() int { return len(e.Data) + len(e.Metadata) + 2*len(e.Type) }

// Recorded is an event as the log keeps it.
type Recorded struct {
	NewEvent
	// Stream is the stream that the event was appended to.
	Stream string
	// Revision is the event's number in its stream: 0, 1, 2 …
	Revision uint64
	// Position is the event's place in the whole log.
	Position Position
	// Created is when the log accepted the event, in UTC.
	Created time.Time
}

// Appended tells where the last event of an append stands.
type Appended struct {
	Revision uint64
	// Position is 0 where the log does not know it any more: for the repeat of an append to a
	// stream that was deleted since.
	Position Position
}

// Filter selects events by the name of their stream. The zero value selects all.
type Filter struct {
	// Prefixes lists the accepted beginnings of stream names; empty accepts every stream.
	Prefixes []string
}

// Accepts reports whether the filter selects events of the stream.
func (f Filter) Accepts(stream string) bool {
	for _, p := range f.Prefixes {
		if strings.HasPrefix(stream, p) {
			return true
		}
	}
	return len(f.Prefixes) == 0
}

// Delivery is one message of a subscription: an event, or, where Event is nil, word
// that everything up to Position was considered.
type Delivery struct {
	Event *Recorded
	// Position is the event's position, or the one up to which (inclusively) the log was searched:
	// of an event that the filter left out, or 0. A subscription may be resumed after it. It is
	// never less than that of the delivery before, nor than the position that the subscription
	// began after, and never [EndPosition].
	Position Position
	// CaughtUp is true on the message that ends the catch-up: what follows is live. It
	// comes again when a subscriber fell behind and caught up again.
	CaughtUp bool
}

// Log is an append-only store of events in streams, with one total order.
//
// All methods are safe to call concurrently. The conformance suite in saga/sagatest
// states the contract as tests; packages that need only a part of it declare their
// own, smaller port.
type Log interface {
	// Append writes the events to the stream as one atomic batch and returns when they are
	// durable. Where the stream does not stand at the expected revision it writes nothing
	// and returns a [*ConflictError] (errors.Is [ErrConflict]), except that a repeat of an
	// append (the same ids at the same place) is answered with the original result. An
	// append over [MaxAppendSize] fails with [ErrTooLarge]. After any other error the
	// outcome is unknown: repeat the identical batch, or read the stream.
	Append(ctx context.Context, stream string, expected Expected, events ...NewEvent) (Appended, error)

	// ReadStream yields the stream's events in order, from the given revision
	// (inclusive). A stream that does not exist yields nothing. Reading ends at the
	// stream's end or with the first error. It shows at least what this log, as it was opened here,
	// told of the stream before: by an acknowledgement, by a conflict or in a subscription.
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[Recorded, error]

	// ReadStreamBackward yields the stream's events from the newest to the oldest, starting at the
	// given revision (inclusive) or, with [End], at the stream's last event. It shows as much as
	// ReadStream.
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[Recorded, error]

	// ReadAll yields the events after the position (exclusive), in log order, up to the end of
	// the log as it stood when reading reached it. See [Position] for those that may be given.
	ReadAll(ctx context.Context, after Position, filter Filter) iter.Seq2[Recorded, error]

	// ReadAllBackward yields the events before the position (exclusive), newest first;
	// [EndPosition] starts at the log's last event.
	ReadAllBackward(ctx context.Context, before Position, filter Filter) iter.Seq2[Recorded, error]

	// Subscribe yields every selected event after the position, first those stored, then each
	// new one when it is durable, with no gap and no duplicate, until ctx ends (the last error
	// is then ctx.Err()) or the log is closed ([ErrClosed]). A consumer that is slow delays
	// nobody and costs the log no memory: it falls back to reading what is stored.
	// With a filter, deliveries without an event are made from time to time. After [EndPosition] it
	// begins with the first event that is appended once the iteration has begun.
	Subscribe(ctx context.Context, after Position, filter Filter) iter.Seq2[Delivery, error]
}

// End, as a revision, means the last event of a stream.
const End = ^uint64(0)

// EndPosition means the end of the log.
const EndPosition = ^Position(0)

// LastPositioner is implemented by a [Log] that can say where it ends.
type LastPositioner interface {
	// LastPosition returns the position of the newest record of the whole log, of whatever
	// stream, those included that reads leave out; 0 means that the log is empty. In a cluster
	// it is the leader who says so, as a follower may lag. No position that the log ever gave is
	// past it, unless the log was cut or replaced.
	LastPosition(ctx context.Context) (Position, error)
}

// SilenceTeller is implemented by a [Log] that may be out of reach.
type SilenceTeller interface {
	// Silence is for how long appends have waited without that any of them was answered; 0
	// while the log answers and while nobody appends. Reads and open subscriptions say nothing
	// of it: a cluster without a majority goes on serving them. It does not wait.
	Silence() time.Duration
}

// AppendBeginner is implemented by a [Log] that takes appends into line one by one, so that many to
// one stream can be under way and share a sync, and larger ones than every log has to.
type AppendBeginner interface {
	// BeginAppend is [Log.Append] in two parts: it returns when the append is in line, and the
	// function that it returns waits for the result; it must be called, once. Appends that one
	// goroutine began one after the other are judged and written in that order. limit, in bytes by
	// the rule of [NewEvent.Size], stands in the place of [MaxAppendSize]. Coordinators have no use
	// for a higher one: what they write has to fit into every log.
	BeginAppend(ctx context.Context, limit int, stream string, expected Expected, events ...NewEvent) func() (Appended, error)
}
