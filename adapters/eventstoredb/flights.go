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
	// room holds the first flight, which is usually the only one.
	room [1]*flight
}

// flight is one append, with all its attempts.
type flight struct {
	stream   string
	space    *airspace
	id       uuid.UUID // of the first event: servers know a repeat by the ids
	seq      uint64
	single   bool // no other was under way when it began
	repeated bool // its first attempt had no answer

	first airspace // where this one opened it
}

// enter notes the append. It returns nil if another append of the same events to the stream is
// under way: a server drops a repeat of an append that it has not finished, and answers nothing for
// seconds.
func (f *flights) enter(b *batch) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	mine, _ := f.join(b)
	return mine
}

// begin notes the append as soon as enter would. It fails when ctx ends first.
func (f *flights) begin(ctx context.Context, b *batch) (*flight, error) {
	for {
		f.mu.Lock()
		mine, space := f.join(b)
		if mine != nil {
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

// join notes the append. If the same append is under way already, it returns nil and the appends to
// the stream. The lock is held.
func (f *flights) join(b *batch) (*flight, *airspace) {
	var id uuid.UUID
	if len(b.events) > 0 {
		id = b.events[0].ID
	}
	space := f.streams[b.stream]
	if space != nil && id != uuid.Nil && slices.ContainsFunc(space.all, func(o *flight) bool { return o.id == id }) {
		return nil, space
	}
	f.seq++
	mine := &flight{stream: b.stream, id: id, seq: f.seq}
	if space == nil {
		space = &mine.first
		space.all = space.room[:0]
		if f.streams == nil {
			f.streams = make(map[string]*airspace)
		}
		f.streams[b.stream] = space
	}
	mine.space, mine.single = space, len(space.all) == 0
	space.all = append(space.all, mine)
	return mine, space
}

// clear reports whether the append may be sent. A first attempt waits while an older append to the
// stream is being repeated; a repeat waits while any older one is under way. The outcome of the
// earlier attempts is unknown, so repeats go one at a time, in the order in which they began.
func (f *flights) clear(mine *flight, repeated bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.isFirst(mine, repeated)
}

// isFirst is clear with the lock held.
func (f *flights) isFirst(mine *flight, repeated bool) bool {
	mine.repeated = mine.repeated || repeated
	return mine.single || !slices.ContainsFunc(mine.space.all, func(o *flight) bool { return o.seq < mine.seq && (repeated || o.repeated) })
}

// turn waits until the append is clear. It fails when ctx ends first.
func (f *flights) turn(ctx context.Context, mine *flight, repeated bool) error {
	for {
		f.mu.Lock()
		if f.isFirst(mine, repeated) {
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
	if len(space.all) == 1 {
		space.all = space.all[:0]
	} else {
		space.all = slices.DeleteFunc(space.all, func(o *flight) bool { return o == mine })
	}
	if space.changed != nil {
		close(space.changed)
		space.changed = nil
	}
	if len(space.all) == 0 {
		delete(f.streams, mine.stream)
	}
}
