package eventstoredb

import (
	"context"
	"slices"
	"sync"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"

	"github.com/google/uuid"
)

// flights knows the appends that are under way. It is safe to use concurrently.
type flights struct {
	mu      sync.Mutex
	streams map[string]*airspace
	seq     uint64
}

// airspace is the appends to one stream.
type airspace struct {
	// all are those under way, in the order in which they began.
	all []*flight
	// changed, where somebody waits, is closed when one ends.
	changed chan struct{}
}

// flight is one append, with all its attempts.
type flight struct {
	stream   string
	space    *airspace
	id       uuid.UUID // of the first event: servers know a repeat by the ids
	seq      uint64
	single   bool // no other was under way when it began
	repeated bool // its first attempt had no answer
}

// begin notes the append, once no other append of the same events to the stream is under way:
// a server drops what it takes for a repeat of an append that it has not finished, without a word
// for seconds. It fails when ctx ends first.
func (f *flights) begin(ctx context.Context, b *batch) (*flight, error) {
	mine := &flight{stream: b.stream}
	if len(b.events) > 0 {
		mine.id = b.events[0].ID
	}
	for {
		f.mu.Lock()
		space := f.streams[b.stream]
		if space == nil {
			space = &airspace{}
			if f.streams == nil {
				f.streams = make(map[string]*airspace)
			}
			f.streams[b.stream] = space
		}
		twin := mine.id != uuid.Nil && slices.ContainsFunc(space.all, func(o *flight) bool { return o.id == mine.id })
		if !twin {
			f.seq++
			mine.seq, mine.space, mine.single = f.seq, space, len(space.all) == 0
			space.all = append(space.all, mine)
			f.mu.Unlock()
			return mine, nil
		}
		changed := space.wait()
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nodes.Ended(ctx, nil)
		}
	}
}

// turn waits for the append's turn to be sent. A first attempt waits while an older append to the
// stream is being repeated, a repeat while any older one is under way: what became of the attempts
// before is unknown, so they go one at a time, in the order in which they began.
func (f *flights) turn(ctx context.Context, mine *flight, repeated bool) error {
	for {
		f.mu.Lock()
		mine.repeated = mine.repeated || repeated
		older := slices.ContainsFunc(mine.space.all, func(o *flight) bool { return o.seq < mine.seq && (repeated || o.repeated) })
		if !older {
			f.mu.Unlock()
			return nil
		}
		changed := mine.space.wait()
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nodes.Ended(ctx, nil)
		}
	}
}

// wait returns what is closed when the next append ends. The lock is held.
func (a *airspace) wait() <-chan struct{} {
	if a.changed == nil {
		a.changed = make(chan struct{})
	}
	return a.changed
}

// only reports whether no other append to the stream was under way when this one began.
func (m *flight) only() bool { return m.single }

// end forgets the append, and lets those go on that waited for it.
func (f *flights) end(mine *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	space := mine.space
	space.all = slices.DeleteFunc(space.all, func(o *flight) bool { return o == mine })
	if space.changed != nil {
		close(space.changed)
		space.changed = nil
	}
	if len(space.all) == 0 {
		delete(f.streams, mine.stream)
	}
}
