package pebblelog

import (
	"context"
	"iter"

	"github.com/atonehq/atone/domain"
)

// eventsOf turns the chunks of a read into events. The function next reads the next chunk of
// at most n records; each event of the chunk that emit passes on is yielded.
func (l *Log) eventsOf(ctx context.Context, next func(n int) (chunk, error), emit func(r *record, yield func(domain.Recorded) bool) bool) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for n := firstChunk; ; n = min(n*4, largestChunk) {
			c, err := l.guarded(ctx, func() (chunk, error) { return next(n) })
			for _, r := range c.records {
				if ctx.Err() != nil {
					yield(domain.Recorded{}, ctx.Err())
					return
				}
				if !emit(r, func(e domain.Recorded) bool { return yield(e, nil) }) {
					return
				}
			}
			if err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if !c.more {
				return
			}
		}
	}
}

// guarded reads from the store while it is open.
func (l *Log) guarded(ctx context.Context, read func() (chunk, error)) (chunk, error) {
	if err := ctx.Err(); err != nil {
		return chunk{}, err
	}
	if err := l.acquire(); err != nil {
		return chunk{}, err
	}
	defer l.release()
	return read()
}

// ReadStream implements [domain.Log]. What it yields must not be modified.
func (l *Log) ReadStream(ctx context.Context, name string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		var d decoder
		var id uint64
		from := from
		next := func(n int) (c chunk, err error) {
			if id == 0 {
				if id, err = l.streamID(name); err != nil || id == 0 {
					return c, err
				}
			}
			return l.streamForward(&d, id, name, from, l.readable(), n)
		}
		l.eventsOf(ctx, next, func(r *record, yield func(domain.Recorded) bool) bool {
			for i := range r.events {
				if r.revision+uint64(i) < from {
					continue
				}
				from = r.revision + uint64(i) + 1
				if !yield(r.at(i)) {
					return false
				}
			}
			return true
		})(yield)
	}
}

// ReadStreamBackward implements [domain.Log]. What it yields must not be modified.
func (l *Log) ReadStreamBackward(ctx context.Context, name string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		var d decoder
		var id uint64
		from, through := from, domain.Position(0)
		next := func(n int) (c chunk, err error) {
			if id == 0 {
				through = l.readable()
				if id, err = l.streamID(name); err != nil || id == 0 {
					return c, err
				}
			}
			return l.streamBackward(&d, id, name, from, through, n)
		}
		l.eventsOf(ctx, next, func(r *record, yield func(domain.Recorded) bool) bool {
			for i := len(r.events) - 1; i >= 0; i-- {
				if r.revision+uint64(i) > from {
					continue
				}
				if !yield(r.at(i)) {
					return false
				}
			}
			if r.revision > 0 {
				from = r.revision - 1
			}
			return true
		})(yield)
	}
}

// ReadAll implements [domain.Log]. What it yields must not be modified.
func (l *Log) ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		var d decoder
		position := after
		next := func(n int) (chunk, error) {
			through := l.readable()
			if position >= through {
				return chunk{}, nil
			}
			c, err := l.allForward(&d, position+1, through, filter, n)
			position = c.considered
			return c, err
		}
		l.eventsOf(ctx, next, func(r *record, yield func(domain.Recorded) bool) bool {
			for i := range r.events {
				if r.first+domain.Position(i) > after && !yield(r.at(i)) {
					return false
				}
			}
			return true
		})(yield)
	}
}

// ReadAllBackward implements [domain.Log]. What it yields must not be modified.
func (l *Log) ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		var d decoder
		position := domain.Position(0) // the next one to read is the one before
		next := func(n int) (chunk, error) {
			if position == 0 {
				position = min(before, l.readable()+1)
			}
			if position <= 1 {
				return chunk{}, nil
			}
			c, err := l.allBackward(&d, position-1, filter, n)
			position = c.considered
			return c, err
		}
		l.eventsOf(ctx, next, func(r *record, yield func(domain.Recorded) bool) bool {
			for i := len(r.events) - 1; i >= 0; i-- {
				if r.first+domain.Position(i) < before && !yield(r.at(i)) {
					return false
				}
			}
			return true
		})(yield)
	}
}

// readable is the last position that readers may see.
func (l *Log) readable() domain.Position { return domain.Position(l.durable.Load()) }
