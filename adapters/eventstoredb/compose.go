package eventstoredb

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// batch is one append, the same in every attempt.
type batch struct {
	stream   string
	expected domain.Expected
	events   []domain.NewEvent

	// How far the append got: its place among those under way, whether it is counted as waiting for
	// an answer, the way of the next attempt, and why the first attempt failed.
	flight *flight
	asked  bool
	way    way
	chosen bool
	failed error
}

// receipt is a server's acknowledgement of a batch.
type receipt struct {
	revision uint64
	// position is that of the last event, or 0 where the server does not tell it.
	position domain.Position
	// noStream says that the stream still does not exist: there were no events.
	noStream bool
}

// check returns an error for what the server would refuse, before anything is sent.
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

// acknowledged checks that an acknowledgement fits what was asked.
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
