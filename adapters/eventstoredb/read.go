package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/atonehq/atone/domain"
)

// ReadStream implements [domain.Log]. A connection that breaks is replaced, and the read goes on
// where it stood, until ctx ends. If the server shows less of the stream than it has announced to
// this process, the read waits for the rest, up to [Config.LagTimeout].
func (l *Log) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		next := from
		if next > math.MaxInt64 {
			return // revisions end there
		}
		want, known := l.told.of(stream)
		r := reader{what: "read " + stream, yield: yield}
		r.request = func() *api.ReadReq {
			return wire.StreamRequest(stream, next, api.ReadReq_Options_Forwards, math.MaxInt64)
		}
		r.accept = func(e domain.Recorded) verdict {
			next = e.Revision + 1
			return take
		}
		if known && from <= want {
			r.lag = &lag{log: l, stream: stream, want: want}
			r.short = func() bool { return next <= want }
		}
		l.read(ctx, r)
	}
}

// ReadStreamBackward implements [domain.Log], with the same care as ReadStream.
func (l *Log) ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		next, began, atStart := from, false, false
		r := reader{what: "read " + stream + " backward", yield: yield}
		r.request = func() *api.ReadReq {
			if atStart {
				return nil
			}
			return wire.StreamRequest(stream, next, api.ReadReq_Options_Backwards, math.MaxInt64)
		}
		want, known := l.told.of(stream)
		want = min(want, from)
		r.accept = func(e domain.Recorded) verdict {
			if !began && known && e.Revision < want {
				return stop // the newest is missing: nothing of this answer counts
			}
			next, began, atStart = e.Revision-1, true, e.Revision == 0
			return take
		}
		if known {
			r.lag = &lag{log: l, stream: stream, want: want}
			r.short = func() bool { return !began }
			r.asIs = func() { known = false }
		}
		l.read(ctx, r)
	}
}

// ReadAll implements [domain.Log]. The filter is applied by the server. A position at which there
// is no record fails with [domain.ErrBadPosition]; one past the end yields nothing.
func (l *Log) ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		if after == domain.EndPosition {
			return
		}
		if after > wire.MaxPosition {
			yield(domain.Recorded{}, noPosition("read all streams after", after))
			return
		}
		last := after
		r := reader{what: fmt.Sprintf("read all streams after position %d", after), yield: yield, all: true}
		r.request = func() *api.ReadReq {
			return wire.AllRequest(last, api.ReadReq_Options_Forwards, filter)
		}
		r.accept = func(e domain.Recorded) verdict {
			// The server begins at the position itself, inclusively.
			fresh := e.Position > last
			last = max(last, e.Position)
			return takeIf(fresh && wire.Accepts(filter, e))
		}
		l.read(ctx, r)
	}
}

// ReadAllBackward implements [domain.Log]. The filter is applied by the server. A position at which
// there is no record, or past the end, fails with [domain.ErrBadPosition].
func (l *Log) ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		if before > wire.MaxPosition && before != domain.EndPosition {
			yield(domain.Recorded{}, noPosition("read all streams before", before))
			return
		}
		next := before
		r := reader{what: "read all streams backward", yield: yield, all: true}
		r.request = func() *api.ReadReq {
			if next == 0 {
				return nil
			}
			return wire.AllRequest(next, api.ReadReq_Options_Backwards, filter)
		}
		r.accept = func(e domain.Recorded) verdict {
			fresh := e.Position < next
			next = min(next, e.Position)
			return takeIf(fresh && wire.Accepts(filter, e))
		}
		if before != domain.EndPosition {
			r.what = fmt.Sprintf("read all streams before position %d", before)
			r.explain = func(err error) error { return l.pastTheEnd(ctx, before, err) }
		}
		l.read(ctx, r)
	}
}

// noPosition refuses a position that no log can have.
func noPosition(what string, p domain.Position) error {
	return fmt.Errorf("%s %d: %w; positions end at %d", what, p, domain.ErrBadPosition, wire.MaxPosition)
}

// pastTheEnd explains the failure of a reading backward: all that servers say of a position past
// the end is "Error".
func (l *Log) pastTheEnd(ctx context.Context, before domain.Position, err error) error {
	if !strings.HasSuffix(err.Error(), "ReadAllResult: Error") {
		return err
	}
	if end, lookup := l.LastPosition(ctx); lookup == nil && before > end {
		return fmt.Errorf("%w: the log ends at position %d (%w)", domain.ErrBadPosition, end, err)
	}
	return err
}

// LastPosition implements [domain.LastPositioner]. It asks the leader, whichever node is preferred.
func (l *Log) LastPosition(ctx context.Context) (domain.Position, error) {
	ctx, unbind := l.bind(ctx)
	defer unbind()
	var last domain.Position
	err := l.persist(ctx, "ask for the end of the log", l.appends, func(ctx context.Context, at *nodes.Link, s *nodes.Session) error {
		request := wire.Request(&api.ReadReq_Options{
			StreamOption:  &api.ReadReq_Options_All{All: wire.AllOptions(domain.EndPosition)},
			ReadDirection: api.ReadReq_Options_Backwards,
			CountOption:   &api.ReadReq_Options_Count{Count: 1},
			FilterOption:  &api.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		})
		return readOnce(ctx, s, at.Outgoing(ctx, true), request, func(m *wire.Answer) bool {
			last = max(last, m.Event.Position, m.Link)
			return true
		})
	})
	return last, err
}

// verdict is what becomes of an event that was read.
type verdict int

const (
	skip verdict = iota // go on without it
	take                // hand it to the consumer
	stop                // end this answer of the server
)

func takeIf(yes bool) verdict {
	if yes {
		return take
	}
	return skip
}

// reader is one reading of a stream or of all of them.
type reader struct {
	what string
	all  bool // of all streams: positions count
	// request asks for what is still to be read; nil means that nothing is.
	request func() *api.ReadReq
	// accept notes how far the reading got and says what becomes of the event.
	accept func(domain.Recorded) verdict
	yield  func(domain.Recorded, error) bool

	// lag, if set, waits while short reports that the server showed less than it has announced.
	// asIs, if set, is called when what it shows turns out to be all there is.
	lag   *lag
	short func() bool
	asIs  func()

	// explain, if set, turns the error that ended the reading into a clearer one.
	explain func(error) error
}

// read yields until the server has no more, the consumer stops or ctx ends.
func (l *Log) read(ctx context.Context, r reader) {
	ctx, unbind := l.bind(ctx)
	defer unbind()
	for {
		stopped, err := l.readPass(ctx, r)
		if stopped {
			return
		}
		again := false
		if err == nil && r.lag != nil && r.short() {
			if again, err = r.lag.again(ctx); err == nil && !again && r.asIs != nil {
				r.lag, again = nil, true
				r.asIs()
			}
		}
		if err != nil {
			if r.explain != nil {
				err = r.explain(err)
			}
			r.yield(domain.Recorded{}, err)
			return
		}
		if !again {
			return
		}
	}
}

// readPass reads to the end of what the server shows now. It reports whether the consumer stopped.
func (l *Log) readPass(ctx context.Context, r reader) (stopped bool, err error) {
	err = l.persist(ctx, r.what, l.reads, func(ctx context.Context, at *nodes.Link, s *nodes.Session) error {
		request := r.request()
		if request == nil {
			return nil
		}
		progress := false
		var nowhere error
		err := readOnce(ctx, s, at.Outgoing(ctx, false), request, func(m *wire.Answer) bool {
			if !m.Found {
				return true
			}
			recorded := m.Event
			if r.all && recorded.Position == 0 {
				nowhere = unplaced(recorded)
				return false
			}
			progress = true
			switch r.accept(recorded) {
			case take:
				stopped = !r.yield(recorded, nil)
			case stop:
				return false
			}
			return !stopped
		})
		var transient *nodes.TransientError
		if progress && errors.As(err, &transient) {
			transient.Puzzling = false // the server does handle the request
		}
		if err == nil {
			err = nowhere
		}
		return err
	})
	return stopped, err
}

// unplaced is the error for an event of $all without a position: a reader could not resume after
// it.
func unplaced(e domain.Recorded) error {
	return fmt.Errorf("the server sent event %d of %s without a position that a record can have", e.Revision, e.Stream)
}
