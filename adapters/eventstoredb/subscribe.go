package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/atonehq/atone/domain"
)

// Subscribe implements [domain.Log] by a catch-up subscription to $all with the filter
// applied by the server. It has a connection of its own, closed when the iteration ends.
//
// A subscription that drops is made again, for ever, from the last position that was delivered or
// checkpointed, and CaughtUp comes again after it. It ends only with ctx, with [Log.Close], or with
// an answer that a repetition can't change: access denied, an invalid request, a position at which
// there is no record ([domain.ErrBadPosition]), an unexplained server error that comes again and
// again. Nothing comes after a position past the log's end until the log is past it.
//
// Deliveries without an event come after about 1,024 events that the filter left out. If the server
// tells no progress (24.2 does not when the catch-up found nothing), the subscription is renewed
// every [Config.ProgressEvery], and CaughtUp comes again.
func (l *Log) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		if after > wire.MaxPosition && after != domain.EndPosition {
			yield(domain.Delivery{}, noPosition("subscribe after", after))
			return
		}
		ctx, unbind := l.bind(ctx)
		defer unbind()
		if after == domain.EndPosition {
			// If the call drops before the first event, this is the position to resume from.
			end, err := l.LastPosition(ctx)
			if err != nil {
				yield(domain.Delivery{}, fmt.Errorf("subscribe after the end: %w", err))
				return
			}
			after = end
		}
		at := l.newLink()
		defer at.Close()
		sub := subscription{log: l, last: after, filter: filter, yield: yield, pause: l.cfg.newPause()}
		for {
			if err := nodes.Ended(ctx, nil); err != nil {
				yield(domain.Delivery{}, err)
				return
			}
			err := sub.follow(ctx, at)
			switch {
			case sub.stopped:
				return
			case ctx.Err() != nil, errors.Is(err, errNoProgress):
				// The next round reports that ctx ended; no progress is not a failure.
			case nodes.Permanent(err) || sub.puzzled > puzzles || sub.broken != nil:
				yield(domain.Delivery{}, fmt.Errorf("subscribe after position %d: %w", sub.last, err))
				return
			default:
				l.cfg.Logger.Warn("eventstoredb: a subscription dropped and is made again", "position", sub.last, "reason", err)
				sub.pause.wait(ctx)
			}
		}
	}
}

// errNoProgress ends a call that tells no progress, so that it is made anew.
var errNoProgress = errors.New("the server tells no progress")

// subscription is how far one Subscribe got, over all its connections.
type subscription struct {
	log     *Log
	last    domain.Position
	filter  domain.Filter
	yield   func(domain.Delivery, error) bool
	pause   pause
	stopped bool  // by the consumer
	puzzled int   // failures in a row that nobody can explain
	broken  error // an event that can't be placed

	// renew ends the present call later; it is set while that call tells no progress.
	renew      *time.Timer
	renewAfter func() *time.Timer
}

// follow makes one call and delivers what comes, until the call ends.
func (s *subscription) follow(ctx context.Context, at *nodes.Link) error {
	call, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.renewAfter = func() *time.Timer {
		return time.AfterFunc(s.log.cfg.ProgressEvery, func() { cancel(errNoProgress) })
	}
	defer s.progressed()
	err := nodes.Attempt(call, at, func(ctx context.Context, n *nodes.Session) error {
		return readOnce(ctx, n, at.Outgoing(ctx, false), s.request(), s.deliver)
	})
	if cause := context.Cause(call); errors.Is(cause, errNoProgress) {
		return errNoProgress
	}
	if s.broken != nil {
		return s.broken
	}
	var transient *nodes.TransientError
	if errors.As(err, &transient) && transient.Puzzling {
		s.puzzled++
	}
	return err
}

// progressed notes that the present call tells how far it got, or has ended.
func (s *subscription) progressed() {
	if s.renew != nil {
		s.renew.Stop()
		s.renew = nil
	}
}

// request subscribes after the last position; the server's From is exclusive.
func (s *subscription) request() *api.ReadReq {
	return wire.Request(&api.ReadReq_Options{
		StreamOption:  &api.ReadReq_Options_All{All: wire.AllOptions(s.last)},
		ReadDirection: api.ReadReq_Options_Forwards,
		CountOption:   &api.ReadReq_Options_Subscription{Subscription: &api.ReadReq_Options_SubscriptionOptions{}},
		FilterOption:  &api.ReadReq_Options_Filter{Filter: wire.FilterOptions(s.filter)},
	})
}

// deliver hands one message to the consumer. Messages of kinds that this version does
// not know are passed over.
func (s *subscription) deliver(m *wire.Answer) bool {
	d := domain.Delivery{Position: s.last}
	switch m.Kind {
	case wire.Event:
		e := m.Event
		if e.Position == 0 {
			s.broken = unplaced(e)
			return false
		}
		if !wire.Tombstone(e) {
			s.log.told.note(e.Stream, e.Revision)
		}
		if e.Position <= s.last {
			return true
		}
		d.Position = e.Position
		if wire.Accepts(s.filter, e) {
			d.Event = &e
		}
	case wire.Checkpoint:
		d.Position = domain.Position(m.At)
		if d.Position > wire.MaxPosition {
			// Its position is no place in the log, and no checkpoint will follow.
			if s.renew == nil {
				s.renew = s.renewAfter()
			}
			return true
		}
		s.progressed()
		if d.Position <= s.last {
			return true
		}
	case wire.CaughtUp:
		d.CaughtUp = true
	case wire.Other:
		return true
	}
	s.pause.reset()
	s.puzzled = 0
	s.last = d.Position
	s.stopped = !s.yield(d, nil)
	return !s.stopped
}
