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
	out   bool              // the view does not want the event, which was not completed
}

// subscribe yields what the log delivers after the position. Without wants, every event is wanted.
func (h *Hub) subscribe(ctx context.Context, after domain.Position, filter domain.Filter, wants func(*domain.Recorded) bool) iter.Seq2[delivered, error] {
	return func(yield func(delivered, error) bool) {
		tracker := newTracker(h.source)
		for d, err := range h.source.Subscribe(ctx, after, filter) {
			e := delivered{Delivery: d}
			if err == nil {
				err = possible(&e.Delivery)
			}
			switch {
			case err != nil || d.Event == nil:
			case wants == nil:
				e.event, err = tracker.read(ctx, d.Event)
			default:
				if e.out, err = unwanted(wants, d.Event); err == nil && !e.out {
					e.event, err = tracker.alone(ctx, d.Event)
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// unwanted reports whether a view does not want an event. A panic in the view is an error.
func unwanted(wants func(*domain.Recorded) bool, e *domain.Recorded) (out bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the view panicked when it was asked whether it wants event %s of %s: %v", e.ID, e.Stream, p)
		}
	}()
	return !wants(e), nil
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
