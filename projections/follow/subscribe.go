package follow

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// errEnded stands for a subscription that ended without an error of its own.
var errEnded = errors.New("the log's subscription ended")

// delivered is one delivery of the log: a completed event, or progress without an event.
type delivered struct {
	domain.Delivery
	event projections.Event // where Delivery.Event is not nil
}

// subscribe yields what the log delivers after the position.
func (h *Hub) subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[delivered, error] {
	return func(yield func(delivered, error) bool) {
		tracker := newTracker(h.source)
		for d, err := range h.source.Subscribe(ctx, after, filter) {
			e := delivered{Delivery: d}
			if err == nil {
				err = possible(&e.Delivery)
			}
			if err == nil && d.Event != nil {
				e.event, err = tracker.read(ctx, d.Event)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// possible refuses an event with an impossible position. In progress without an event, an
// impossible position becomes 0, which moves no view. Some servers send such positions when they
// have found no event.
func possible(d *domain.Delivery) error {
	if d.Position.Possible() {
		return nil
	}
	d.Position = 0
	if d.Event == nil {
		return nil
	}
	return fmt.Errorf("event %s of %s has position %d: %w", d.Event.ID, d.Event.Stream, d.Event.Position, domain.ErrBadPosition)
}
