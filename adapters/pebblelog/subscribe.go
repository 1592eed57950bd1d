package pebblelog

import (
	"context"
	"iter"

	"github.com/atonehq/atone/domain"
)

const (
	// checkpointEvery is how many positions in a row a filter may leave out before the subscription
	// is told how far the log was searched.
	checkpointEvery = 256
	// liveChunk is how many records a live subscription takes from the tail at once.
	liveChunk = 256
)

// Subscribe implements [domain.Log]. With [domain.EndPosition] it begins with the first event
// that becomes durable after the iteration started. What it yields is shared between
// subscribers and must not be modified.
func (l *Log) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		l.counters.subscribers.Add(1)
		defer l.counters.subscribers.Add(-1)
		if after == domain.EndPosition {
			after = l.readable()
		}
		s := &subscription{
			log: l, filter: filter, key: filterKey(filter), chunk: firstChunk,
			position: after, told: after, target: l.readable(), yield: yield,
		}
		for {
			more, err := s.step(ctx)
			if err != nil {
				yield(domain.Delivery{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// subscription is one consumer's place in the log.
type subscription struct {
	log     *Log
	filter  domain.Filter
	key     string
	decoder decoder
	chunk   int

	position domain.Position // considered up to here
	told     domain.Position // of the last delivery
	target   domain.Position // catching up ends here
	caughtUp bool
	yield    func(domain.Delivery, error) bool
}

// step delivers what there is, or waits until there is something. It returns false when the
// consumer wants no more.
func (s *subscription) step(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	select {
	case <-s.log.closing:
		return false, domain.ErrClosed
	default:
	}
	records, live := s.log.tail.after(s.position, liveChunk)
	switch {
	case !live:
		return s.catchUp(ctx)
	case !s.caughtUp && (len(records) == 0 || s.position >= s.target):
		s.caughtUp, s.chunk, s.told = true, firstChunk, s.position
		return s.yield(domain.Delivery{Position: s.position, CaughtUp: true}, nil), nil
	case len(records) == 0:
		return true, s.sleep(ctx)
	}
	return s.deliver(records, records[len(records)-1].last()), nil
}

// catchUp reads what the tail does not hold any more from the store.
func (s *subscription) catchUp(ctx context.Context) (bool, error) {
	if s.caughtUp {
		s.caughtUp, s.target = false, s.log.readable()
	}
	c, err := s.log.guarded(ctx, func() (chunk, error) {
		return s.log.allForward(&s.decoder, s.position+1, s.log.readable(), s.filter, s.chunk)
	})
	s.chunk = min(s.chunk*4, largestChunk)
	if !s.deliver(c.records, c.considered) {
		return false, nil
	}
	return true, err
}

// deliver passes on the events of the records that the filter selects, then tells how far the log
// was considered, if that is news.
func (s *subscription) deliver(records []*record, considered domain.Position) bool {
	for _, r := range records {
		if !s.filter.Accepts(r.stream) {
			continue
		}
		if r.first > s.position+1 && !s.tell(r.first-1) {
			return false
		}
		if !s.pass(r) {
			return false
		}
	}
	return s.tell(considered)
}

// deliverTogether is how many of a record's events are laid out at once: a record may have
// 50,000 of them, and each of hundreds of slow consumers would hold a copy of the whole.
const deliverTogether = 64

// pass passes on the record's events that were not delivered yet.
func (s *subscription) pass(r *record) bool {
	var events []domain.Recorded
	for i := range r.events {
		position := r.first + domain.Position(i)
		if position <= s.position {
			continue
		}
		if len(events) == 0 {
			events = make([]domain.Recorded, min(deliverTogether, len(r.events)-i))
		}
		e := &events[0]
		events = events[1:]
		*e = r.at(i)
		s.position, s.told = position, position
		if !s.yield(domain.Delivery{Event: e, Position: position}, nil) {
			return false
		}
	}
	return true
}

// tell notes that the log was considered up to the position, and says so when the last
// delivery is long ago.
func (s *subscription) tell(considered domain.Position) bool {
	s.position = max(s.position, considered)
	if s.position-s.told < checkpointEvery {
		return true
	}
	s.told = s.position
	return s.yield(domain.Delivery{Position: s.position}, nil)
}

// sleep waits until the log has something for the subscription.
func (s *subscription) sleep(ctx context.Context) error {
	wake := s.log.tail.wait(s.position, s.filter, s.key)
	if wake == nil {
		return nil
	}
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.log.closing:
		return domain.ErrClosed
	}
}
