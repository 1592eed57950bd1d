package eventstoredb

import (
	"context"
	"fmt"
	"iter"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/atonehq/atone/domain"
)

// Subscribe implements [domain.Log] by a catch-up subscription to $all with the filter
// applied by the server. It has a connection of its own, closed when the iteration ends.
//
// A subscription that drops is made again, for ever, from the last position that was
// delivered or checkpointed, and CaughtUp comes again after it. Only ctx, [Log.Close] and
// an answer that a repetition can't change (access denied, an invalid request) end it. On a server with
// nothing new to tell, deliveries without an event come after about 1,024 events that the
// filter left out.
func (l *Log) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		ctx, unbind := l.bind(ctx)
		defer unbind()
		at := l.newLink()
		defer at.close()
		sub := subscription{last: after, filter: filter, yield: yield, pause: l.cfg.newPause()}
		for {
			if err := ended(ctx, nil); err != nil {
				yield(domain.Delivery{}, err)
				return
			}
			err := attempt(ctx, at, func(ctx context.Context, s *session) error {
				return readOnce(ctx, s, at.outgoing(ctx, false), sub.request(), sub.deliver)
			})
			if sub.stopped {
				return
			}
			if err != nil && ctx.Err() == nil && permanent(err) {
				yield(domain.Delivery{}, fmt.Errorf("subscribe after position %d: %w", sub.last, err))
				return
			}
			if ctx.Err() == nil {
				l.cfg.Logger.Warn("eventstoredb: a subscription dropped and is made again", "position", sub.last, "reason", err)
				sub.pause.wait(ctx)
			}
		}
	}
}

// subscription is how far one Subscribe got, over all its connections.
type subscription struct {
	last    domain.Position
	filter  domain.Filter
	yield   func(domain.Delivery, error) bool
	pause   pause
	stopped bool // by the consumer
}

// request subscribes after the last position; the server's From is exclusive.
func (s *subscription) request() *api.ReadReq {
	return request(&api.ReadReq_Options{
		StreamOption:  &api.ReadReq_Options_All{All: allOptions(s.last)},
		ReadDirection: api.ReadReq_Options_Forwards,
		CountOption:   &api.ReadReq_Options_Subscription{Subscription: &api.ReadReq_Options_SubscriptionOptions{}},
		FilterOption:  &api.ReadReq_Options_Filter{Filter: filterOptions(s.filter)},
	})
}

// deliver hands one message to the consumer. Messages of kinds that this version does
// not know are passed over.
func (s *subscription) deliver(m *api.ReadResp) bool {
	s.pause.reset()
	d := domain.Delivery{Position: s.last}
	switch content := m.GetContent().(type) {
	case *api.ReadResp_Event:
		e := decode(content.Event.GetEvent())
		if e.Position <= s.last {
			return true
		}
		d.Position = e.Position
		if accepts(s.filter, e) {
			d.Event = &e
		}
	case *api.ReadResp_Checkpoint_:
		d.Position = domain.Position(content.Checkpoint.GetCommitPosition())
		if d.Position <= s.last {
			return true
		}
	case *api.ReadResp_CaughtUp_:
		d.CaughtUp = true
	default:
		return true
	}
	s.last = d.Position
	s.stopped = !s.yield(d, nil)
	return !s.stopped
}
