package streamdb

import (
	"context"
	"errors"
	"iter"

	"github.com/atonehq/atone/domain"
)

// Message is what a subscription yields: an event, or, if Event is nil, how far the subscription
// has come.
type Message struct {
	Event *domain.Recorded
	// Position is the event's position, or the one up to which a filtered subscription has
	// searched the log.
	Position domain.Position
	// CaughtUp is true on the message, without an event, that ends the catch-up: what
	// follows is live. It comes again when the reader fell behind and has caught up again.
	CaughtUp bool
	// Last is set with CaughtUp in a subscription to one stream: the number of its last event, or
	// [NoNumber].
	Last int64
	// Checkpoint is true on the message, without an event, of a filtered subscription after
	// which it may be resumed.
	Checkpoint bool
}

// Filter selects events of a subscription to all streams.
type Filter struct {
	// Accepts judges an event.
	Accepts func(*domain.Recorded) bool
	// Interval is how many events, accepted or not, lie between two checkpoints.
	Interval int
}

// SubscribeAll yields the events after the place, first the stored ones, then each new
// one, in order, none twice, until ctx ends or reading fails. A reader that is slow
// blocks nobody; it falls back to reading the log. With a filter it yields checkpoints.
func (db *DB) SubscribeAll(ctx context.Context, from Place, filter *Filter) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		changed, stop := db.tail.follow("")
		defer stop()
		s := &allSubscriber{at: from.After, skipTo: from.SkipTo, quiet: from.Live || from.Beyond, filter: filter, yield: yield}
		// Skip what the log holds now, even if the tail has not got there yet.
		end, err := db.EndPosition(ctx)
		if err != nil {
			yield(Message{}, err)
			return
		}
		for {
			wake := changed()
			events, live := db.tail.after(s.at)
			for i := range events {
				if !s.deliver(Present(events[i])) {
					return
				}
			}
			switch {
			case !live || s.at < end && len(events) == 0:
				s.caughtUp = false
				if !s.catchUp(ctx, db) {
					return
				}
			case len(events) > 0:
				// there may be more
			case !s.caughtUp:
				if !s.announce() {
					return
				}
			default:
				select {
				case <-wake:
				case <-ctx.Done():
					yield(Message{}, ctx.Err())
					return
				}
			}
		}
	}
}

// allSubscriber is one subscription's way through the log.
type allSubscriber struct {
	at     domain.Position
	skipTo domain.Position // up to here events are passed over
	// quiet is true until a subscription that began at the end, or past it, has been announced:
	// no checkpoint comes before.
	quiet      bool
	filter     *Filter
	yield      func(Message, error) bool
	considered int
	caughtUp   bool
}

// deliver passes the event on if the filter accepts it, and a checkpoint when one is due.
func (s *allSubscriber) deliver(event domain.Recorded) bool {
	s.at = event.Position
	if s.at <= s.skipTo {
		return true
	}
	if s.filter == nil {
		return s.yield(Message{Event: &event, Position: event.Position}, nil)
	}
	if s.filter.Accepts(&event) && !s.yield(Message{Event: &event, Position: event.Position}, nil) {
		return false
	}
	if s.considered++; s.considered < s.filter.Interval {
		return true
	}
	return s.checkpoint()
}

func (s *allSubscriber) checkpoint() bool {
	s.considered = 0
	return s.at == 0 || s.yield(Message{Position: s.at, Checkpoint: true}, nil)
}

// announce says that the subscription is live. A filtered one gets a checkpoint first.
func (s *allSubscriber) announce() bool {
	s.caughtUp = true
	if s.filter != nil && !s.quiet && !s.checkpoint() {
		return false
	}
	s.quiet = false
	return s.yield(Message{Position: s.at, CaughtUp: true}, nil)
}

// catchUp reads what the log holds after the subscriber's position. It reads everything,
// not only what the filter accepts, so that the position is always known.
func (s *allSubscriber) catchUp(ctx context.Context, db *DB) bool {
	floor := db.tail.start()
	for event, err := range db.All(ctx, s.at) {
		if err != nil {
			s.yield(Message{}, err)
			return false
		}
		if !s.deliver(event) {
			return false
		}
	}
	// Everything up to floor was in the log before it was read, so it has been seen.
	s.at = max(s.at, floor)
	return true
}

// SubscribeStream yields the stream's readable events after the number (exclusive; -1 for
// all), in order, none twice, and goes on with each new one until ctx ends or reading
// fails. A tombstone ends it with a [*DeletedError].
func (db *DB) SubscribeStream(ctx context.Context, stream string, after int64) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		name := stream
		if IsVirtual(stream) {
			name = ""
		}
		changed, stop := db.tail.follow(name)
		defer stop()
		caughtUp := false
		for {
			wake := changed()
			next, read, err := db.readOn(ctx, stream, after, yield)
			if errors.Is(err, errLeft) {
				return
			}
			if err != nil {
				yield(Message{}, err)
				return
			}
			if next < after {
				return // the reader has left
			}
			after = next
			if read > db.tail.maxEvents {
				caughtUp = false // it fell behind
			}
			if !caughtUp {
				caughtUp = true
				last, err := db.LastNumber(ctx, stream)
				if err != nil {
					yield(Message{}, err)
					return
				}
				if !yield(Message{CaughtUp: true, Last: last}, nil) {
					return
				}
			}
			select {
			case <-wake:
			case <-ctx.Done():
				yield(Message{}, ctx.Err())
				return
			}
		}
	}
}

// yieldTombstone yields the stream's last event, which says that it is deleted, and returns
// gone. A metastream ends with its stream, and has no such event.
func (db *DB) yieldTombstone(ctx context.Context, stream string, gone error, yield func(Message, error) bool) error {
	head, found, err := db.last(ctx, stream)
	if err != nil {
		return err
	}
	if event := Present(head); found && event.Type == TypeTombstone && !yield(Message{Event: &event, Position: event.Position}, nil) {
		return errLeft
	}
	return gone
}

// errLeft says that the reader takes no more.
var errLeft = errors.New("the reader has left")

// stopped is what readOn returns when the reader takes no more.
const stopped = int64(-2)

// LastNumber returns the number of the stream's last event, or [NoNumber], whether or not
// it can be read.
func (db *DB) LastNumber(ctx context.Context, stream string) (int64, error) {
	if IsVirtual(stream) {
		count, err := db.countVirtual(ctx, stream)
		return count - 1, err
	}
	return db.current(ctx, stream)
}

// readOn yields the events after the number that the stream has now, and returns the
// number of the last one.
func (db *DB) readOn(ctx context.Context, stream string, after int64, yield func(Message, error) bool) (last int64, read int, err error) {
	view, err := db.View(ctx, stream)
	if errors.Is(err, domain.ErrStreamDeleted) {
		return after, 0, db.yieldTombstone(ctx, stream, err, yield)
	}
	if err != nil || !view.Exists || after == Tombstoned {
		return after, 0, err
	}
	for event, err := range view.Forward(ctx, uint64(after+1)) {
		if err != nil {
			return after, read, err
		}
		if event.Type == TypeTombstone { // appended since the stream was looked at
			return after, read, db.yieldTombstone(ctx, stream, &DeletedError{stream}, yield)
		}
		if !yield(Message{Event: &event, Position: event.Position}, nil) {
			return stopped, read, nil
		}
		read++
		after = int64(event.Revision)
	}
	return after, read, nil
}
