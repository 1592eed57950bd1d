package memlog

import (
	"context"
	"iter"

	"github.com/atonehq/atone/domain"
)

// checkpointEvery is after how many events that a filter left out a subscription is told
// how far the log was searched.
const checkpointEvery = 256

// ReadStream implements [domain.Log].
func (l *Log) ReadStream(ctx context.Context, name string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for revision := from; ; revision++ {
			positions, all, err := l.streamView(name)
			if err := readable(ctx, err); err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if revision >= uint64(len(positions)) || !yield(all[positions[revision]-1], nil) {
				return
			}
		}
	}
}

// ReadStreamBackward implements [domain.Log].
func (l *Log) ReadStreamBackward(ctx context.Context, name string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		positions, all, err := l.streamView(name)
		left := uint64(len(positions))
		if from < left {
			left = from + 1
		}
		for ; ; left-- {
			if err := readable(ctx, err); err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if left == 0 || !yield(all[positions[left-1]-1], nil) {
				return
			}
		}
	}
}

// ReadAll implements [domain.Log].
func (l *Log) ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for position := after; ; position++ {
			all, _, err := l.view()
			if err := readable(ctx, err); err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if position >= domain.Position(len(all)) {
				return
			}
			if filter.Accepts(all[position].Stream) && !yield(all[position], nil) {
				return
			}
		}
	}
}

// ReadAllBackward implements [domain.Log].
func (l *Log) ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		all, _, err := l.view()
		left := domain.Position(len(all))
		if before <= left {
			left = max(before, 1) - 1
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
		}
	}
}

// Subscribe implements [domain.Log]. With [domain.EndPosition] it begins with the first
// event appended after the call's iteration started.
func (l *Log) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		position, unmatched, caughtUp := after, 0, false
		for {
			all, changed, err := l.view()
			if position == domain.EndPosition {
				position = domain.Position(len(all))
			}
			for err == nil && position < domain.Position(len(all)) && ctx.Err() == nil {
				event := &all[position]
				position = event.Position
				switch unmatched++; {
				case filter.Accepts(event.Stream):
					copied := *event
					if !yield(domain.Delivery{Event: &copied, Position: position}, nil) {
						return
					}
					unmatched = 0
				case unmatched >= checkpointEvery:
					if !yield(domain.Delivery{Position: position}, nil) {
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
				if !yield(domain.Delivery{Position: position, CaughtUp: true}, nil) {
					return
				}
				continue // what was appended while the consumer worked is not waited for
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}
