package memlog

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/atonehq/atone/domain"
)

// checkpointEvery is the number of filtered-out events after which a subscription reports how far
// the log was searched.
const checkpointEvery = 256

// ReadStream implements [domain.Log].
func (l *Log) ReadStream(ctx context.Context, name string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for revision := from; ; revision++ {
			places, all, err := l.streamView(name)
			if err := readable(ctx, err); err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if revision >= uint64(len(places)) || !yield(all[places[revision]], nil) {
				return
			}
		}
	}
}

// ReadStreamBackward implements [domain.Log].
func (l *Log) ReadStreamBackward(ctx context.Context, name string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		places, all, err := l.streamView(name)
		left := uint64(len(places))
		if from < left {
			left = from + 1
		}
		for ; ; left-- {
			if err := readable(ctx, err); err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if left == 0 || !yield(all[places[left-1]], nil) {
				return
			}
		}
	}
}

// placeAfter returns the place of the first event after the position, which is 0, an event's,
// or [domain.EndPosition].
func placeAfter(all []domain.Recorded, after domain.Position) (int, error) {
	switch after {
	case 0:
		return 0, nil
	case domain.EndPosition:
		return len(all), nil
	}
	place, err := placeOf(all, after)
	return place + 1, err
}

// placeOf returns the place of the event that has the position.
func placeOf(all []domain.Recorded, position domain.Position) (int, error) {
	place, found := slices.BinarySearchFunc(all, position, func(r domain.Recorded, p domain.Position) int {
		return cmp.Compare(r.Position, p)
	})
	if !found {
		return 0, fmt.Errorf("position %d: %w", position, domain.ErrBadPosition)
	}
	return place, nil
}

// ReadAll implements [domain.Log].
func (l *Log) ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		all, _, err := l.view()
		place := 0
		if err == nil {
			place, err = placeAfter(all, after)
		}
		for ; ; place++ {
			if err == nil {
				all, _, err = l.view()
			}
			if err := readable(ctx, err); err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if place >= len(all) {
				return
			}
			if filter.Accepts(all[place].Stream) && !yield(all[place], nil) {
				return
			}
		}
	}
}

// ReadAllBackward implements [domain.Log].
func (l *Log) ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		all, _, err := l.view()
		left := len(all)
		if err == nil && before == 0 {
			left = 0
		} else if err == nil && before != domain.EndPosition {
			left, err = placeOf(all, before)
		}
		for ; ; left-- {
			if err := readable(ctx, err); err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if left == 0 {
				return
			}
			if filter.Accepts(all[left-1].Stream) && !yield(all[left-1], nil) {
				return
			}
			_, _, err = l.view()
		}
	}
}

// Subscribe implements [domain.Log]. With [domain.EndPosition] it begins with the first
// event appended after the call's iteration started.
func (l *Log) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		all, _, err := l.view()
		place, unmatched, caughtUp := 0, 0, false
		if err == nil {
			place, err = placeAfter(all, after)
		}
		for {
			var changed <-chan struct{}
			if err == nil {
				all, changed, err = l.view()
			}
			for err == nil && place < len(all) && ctx.Err() == nil {
				event := &all[place]
				place++
				switch unmatched++; {
				case filter.Accepts(event.Stream):
					copied := *event
					if !yield(domain.Delivery{Event: &copied, Position: event.Position}, nil) {
						return
					}
					unmatched = 0
				case unmatched >= checkpointEvery:
					if !yield(domain.Delivery{Position: event.Position}, nil) {
						return
					}
					unmatched = 0
				}
			}
			if err := readable(ctx, err); err != nil {
				yield(domain.Delivery{}, err)
				return
			}
			if !caughtUp {
				caughtUp, unmatched = true, 0
				var position domain.Position
				if place > 0 {
					position = all[place-1].Position
				}
				if !yield(domain.Delivery{Position: position, CaughtUp: true}, nil) {
					return
				}
				continue // events may have been appended meanwhile: look before waiting
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}
