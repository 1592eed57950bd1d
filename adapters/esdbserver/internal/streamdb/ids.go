package streamdb

import (
	"sync"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// recentIDs remembers where the latest events were appended, by their ids. Appends that name no
// revision need it: only the ids tell a repeat from a new append. It is bounded, as EventStoreDB's
// is; a forgotten id counts as new.
type recentIDs struct {
	mu         sync.Mutex
	limit      int
	young, old map[uuid.UUID]*idEntry
}

type idEntry struct {
	stream string
	number int64
	// pending is closed when the append in flight has ended; nil for a settled entry.
	pending chan struct{}
}

func newRecentIDs(limit int) *recentIDs {
	return &recentIDs{limit: limit, young: map[uuid.UUID]*idEntry{}}
}

func (r *recentIDs) find(id uuid.UUID, stream string) *idEntry {
	e := r.young[id]
	if e == nil {
		e = r.old[id]
	}
	if e == nil || e.stream != stream {
		return nil
	}
	return e
}

func (r *recentIDs) put(id uuid.UUID, e *idEntry) {
	if len(r.young) >= r.limit/2 {
		r.old, r.young = r.young, make(map[uuid.UUID]*idEntry, r.limit/4)
	}
	r.young[id] = e
}

// verdict of [recentIDs.reserve].
type verdict int

const (
	allNew   verdict = iota // reserved: settle or release must follow
	allKnown                // every event is in the stream already
	mixed                   // a known beginning, then an unknown event
	inFlight                // an append of the same events has not ended yet: wait, then ask again
)

// reserve judges the events' ids by EventStoreDB's table. For allNew, hand the channel to settle or
// release; for inFlight, wait until it is closed. For allKnown, number is the last event's place.
func (r *recentIDs) reserve(stream string, events []domain.NewEvent) (v verdict, number int64, done chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range events {
		entry := r.find(e.ID, stream)
		switch {
		case entry == nil && i > 0:
			return mixed, 0, nil
		case entry == nil:
			done = make(chan struct{})
			for _, e := range events {
				r.put(e.ID, &idEntry{stream: stream, pending: done})
			}
			return allNew, 0, done
		case entry.pending != nil:
			return inFlight, 0, entry.pending
		}
		number = entry.number
	}
	return allKnown, number, nil
}

// settle records that the events went to the stream, the last one to the given number.
func (r *recentIDs) settle(stream string, events []domain.NewEvent, last int64, done chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := last - int64(len(events)) + 1
	for i, e := range events {
		if known := r.find(e.ID, stream); known != nil && known.pending == nil {
			continue // a repeat is answered with the first place of its id
		}
		r.put(e.ID, &idEntry{stream: stream, number: first + int64(i)})
	}
	if done != nil {
		close(done)
	}
}

// release forgets a reservation whose append failed.
func (r *recentIDs) release(stream string, events []domain.NewEvent, done chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		if entry := r.find(e.ID, stream); entry != nil && entry.pending == done {
			delete(r.young, e.ID)
			delete(r.old, e.ID)
		}
	}
	close(done)
}
