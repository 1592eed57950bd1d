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
// Only the log makes positions; never compute with them. You may compare two positions of one log,
// for equality and order. Sums and differences mean nothing: to know how many events lie between
// two positions, count them; to begin before an event, keep the position of its predecessor, or get
// it with [Log.ReadAllBackward].
//
// A log accepts 0, [EndPosition], and the positions that it returned itself: of a [Recorded], an
// [Appended] with events, or a [Delivery]. For any other it fails with [ErrBadPosition] if it can
// tell. It cannot always: given a position past its end, a server's subscription may silently skip
// events. So check a position that was stored outside of the log before you use it.
type Position uint64

// Possible reports whether an event can have the position. 0, [EndPosition] and whatever does not
// fit into a signed integer belong to no event; servers have sent such a number as a checkpoint.
func (p Position) Possible() bool { return p > 0 && p <= math.MaxInt64 }

// Expected is the revision that a stream must have for an append to be accepted: an exact revision
// (0, 1, 2 …, the number of the stream's last event) or one of the constants below.
type Expected int64

const (
	// NoStream accepts the append only when the stream has no events.
	NoStream Expected = -1
	// AnyRevision accepts the append at any revision.
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
	// ID identifies a repeated append; it is never the zero UUID.
	ID uuid.UUID
	// Type is the wire name, never empty.
	Type string
	// Data and Metadata are kept byte for byte. Metadata may be empty.
	Data, Metadata []byte
	// Binary marks data that is not JSON (content type application/octet-stream).
	Binary bool
}

// Size is the event's share of [MaxAppendSize], in bytes: data, metadata and twice the type's
// length (KurrentDB's own rule).
func (e NewEvent) Size() int { return len(e.Data) + len(e.Metadata) + 2*len(e.Type) }

// Recorded is an event that is in the log.
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

// Appended is the place of an append's last event.
type Appended struct {
	Revision uint64
	// Position is 0 if the log no longer knows it: when an append is repeated whose stream was
	// deleted since.
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

// Delivery is one message of a subscription: an event, or, if Event is nil, the news that
// everything up to Position was searched.
type Delivery struct {
	Event *Recorded
	// Position is the event's position or, without an event, the last position that was searched:
	// that of an event which the filter left out, or 0. A subscription may resume after it.
	// Positions never decrease from delivery to delivery, are never less than the one that the
	// subscription began after, and never [EndPosition].
	Position Position
	// CaughtUp is true on the message that ends the catch-up: live events follow. A subscriber that
	// falls behind gets it again when it has caught up.
	CaughtUp bool
}

// Log is an append-only store of events in streams, with one total order.
//
// All methods are safe to call concurrently. The conformance suite in saga/sagatest/logtest
// states the contract as tests; packages that need only a part of it declare their
// own, smaller port.
type Log interface {
	// Append writes the events to the stream as one atomic batch and returns when they are durable.
	// If the stream is not at the expected revision, it writes nothing and returns a
	// [*ConflictError] (errors.Is [ErrConflict]). A repeat of an append (the same ids at the same
	// place) returns the original result instead. An append over [MaxAppendSize] fails with
	// [ErrTooLarge]. After any other error the outcome is unknown: repeat the identical batch, or
	// read the stream.
	Append(ctx context.Context, stream string, expected Expected, events ...NewEvent) (Appended, error)

	// ReadStream yields the stream's events in order, from the given revision (inclusive). A stream
	// that does not exist yields nothing. Reading ends at the stream's end or with the first error.
	// It yields at least the events of the stream that this open log has reported before: in an
	// acknowledgement, in a conflict or in a subscription.
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[Recorded, error]

	// ReadStreamBackward yields the stream's events from the newest to the oldest, starting at the
	// given revision (inclusive) or, with [End], at the stream's last event. It yields as much as
	// ReadStream.
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[Recorded, error]

	// ReadAll yields the events after the position (exclusive), in log order, up to the end of the
	// log when reading reaches it. See [Position] for the positions that are accepted.
	ReadAll(ctx context.Context, after Position, filter Filter) iter.Seq2[Recorded, error]

	// ReadAllBackward yields the events before the position (exclusive), newest first;
	// [EndPosition] starts at the log's last event.
	ReadAllBackward(ctx context.Context, before Position, filter Filter) iter.Seq2[Recorded, error]

	// Subscribe yields every selected event after the position, first those stored, then each new
	// one when it is durable, with no gap and no duplicate, until ctx ends (the last error is then
	// ctx.Err()) or the log is closed ([ErrClosed]). A slow consumer delays nobody and costs the
	// log no memory: it falls back to reading stored events. With a filter, deliveries without an
	// event come from time to time. After [EndPosition] it begins with the first event that is
	// appended after the iteration began.
	Subscribe(ctx context.Context, after Position, filter Filter) iter.Seq2[Delivery, error]
}

// End, as a revision, means the last event of a stream.
const End = ^uint64(0)

// EndPosition means the end of the log.
const EndPosition = ^Position(0)

// LastPositioner is implemented by a [Log] that knows its last position.
type LastPositioner interface {
	// LastPosition returns the position of the newest record of the whole log, in any stream,
	// including records that reads leave out; 0 means that the log is empty. A cluster asks its
	// leader, because a follower may lag. The log never returned a later position, unless it was
	// cut or replaced.
	LastPosition(ctx context.Context) (Position, error)
}

// SilenceTeller is implemented by a [Log] that may be out of reach.
type SilenceTeller interface {
	// Silence returns how long appends have waited since one was last answered; 0 while the log
	// answers and while nobody appends. Reads and subscriptions do not count: a cluster without a
	// majority still serves them. It does not block.
	Silence() time.Duration
}

// AppendBeginner is implemented by a [Log] that queues appends. Many appends to one stream can then
// be under way and share a sync, and appends may be larger than [MaxAppendSize].
type AppendBeginner interface {
	// BeginAppend is [Log.Append] in two parts: it returns when the append is queued; the function
	// that it returns waits for the result and must be called exactly once. Appends that one
	// goroutine begins one after the other are checked and written in that order. limit, in bytes
	// as [NewEvent.Size] counts, replaces [MaxAppendSize]. Coordinators never raise it: their
	// events have to fit into every log.
	BeginAppend(ctx context.Context, limit int, stream string, expected Expected, events ...NewEvent) func() (Appended, error)
}
