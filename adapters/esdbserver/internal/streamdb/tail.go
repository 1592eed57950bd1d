package streamdb

import (
	"sort"
	"sync"

	"github.com/atonehq/atone/domain"
)

// tail holds the newest events of the log for live subscribers, so that a thousand of them cost one
// read of the log. It is bounded by number and size. A subscriber that falls behind it reads the
// log; no subscriber waits for another.
type tail struct {
	mu                  sync.Mutex
	maxEvents, maxBytes int
	events              []domain.Recorded
	bytes               int
	// Every event after floor, up to head, is in events.
	floor, head domain.Position
	// watched holds a channel for each stream name waited for, closed at its next event;
	// the empty name stands for all streams.
	watched map[string]*watch
}

type watch struct {
	changed chan struct{}
	waiters int
}

func newTail(maxEvents, maxBytes int) *tail {
	return &tail{maxEvents: maxEvents, maxBytes: maxBytes, watched: map[string]*watch{}}
}

// reset begins after the position.
func (t *tail) reset(after domain.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events, t.bytes, t.floor, t.head = nil, 0, after, after
}

func (t *tail) add(event domain.Recorded) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, event)
	t.bytes += event.Size()
	t.head = event.Position
	drop := 0
	for len(t.events)-drop > 1 && (len(t.events)-drop > t.maxEvents || t.bytes > t.maxBytes) {
		t.bytes -= t.events[drop].Size()
		t.floor = t.events[drop].Position
		t.events[drop] = domain.Recorded{} // so that its data can be freed
		drop++
	}
	t.events = t.events[drop:]
	t.wake(event.Stream)
	t.wake("")
}

func (t *tail) wake(name string) {
	if w := t.watched[name]; w != nil {
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

// How much a reader takes from the tail at once, at most: a slow reader keeps no more than this in
// memory.
const (
	batchEvents = 256
	batchBytes  = 1 << 20
)

// after returns the next events after the position, none if there are none yet; ok is
// false when the tail does not reach back that far.
func (t *tail) after(position domain.Position) (events []domain.Recorded, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if position < t.floor {
		return nil, false
	}
	from := sort.Search(len(t.events), func(i int) bool { return t.events[i].Position > position })
	to, bytes := from, 0
	for to < min(len(t.events), from+batchEvents) && bytes < batchBytes {
		bytes += t.events[to].Size()
		to++
	}
	return append([]domain.Recorded(nil), t.events[from:to]...), true
}

// follow registers interest in a stream, or with the empty name in all. changed returns a channel
// that is closed at the next event: take it before you look, so that you miss nothing.
func (t *tail) follow(name string) (changed func() <-chan struct{}, stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.watched[name]
	if w == nil {
		w = &watch{changed: make(chan struct{})}
		t.watched[name] = w
	}
	w.waiters++
	changed = func() <-chan struct{} {
		t.mu.Lock()
		defer t.mu.Unlock()
		return w.changed
	}
	stop = func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if w.waiters--; w.waiters == 0 {
			delete(t.watched, name)
		}
	}
	return changed, stop
}

// end returns the position of the newest event seen.
func (t *tail) end() domain.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// start returns the position after which the tail is complete.
func (t *tail) start() domain.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.floor
}
