package inbox

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Key is what an await waits for.
type Key struct {
	Type        string `json:"type"`
	Correlation string `json:"correlation"`
}

// Event is a domain event that an await may take.
type Event struct {
	ID       uuid.UUID       `json:"id"`
	Position domain.Position `json:"position"`
	// Stream and Revision say where to read the event.
	Stream   string `json:"stream"`
	Revision uint64 `json:"revision"`
	// Data is the payload; nil if it must be read from the stream.
	Data json.RawMessage `json:"-"`
}

// keptData is the largest payload, in bytes, that is kept in memory.
const keptData = 512

// Index is an inbox's knowledge of events and awaits, up to a position in the log.
type Index struct {
	types map[string]*kind
	runs  map[domain.RunID]*run
}

// kind is a type of event that is awaited.
type kind struct {
	boxes map[string]*box // by correlation id
	// order has all events of the type, the oldest first.
	order []kept
	// left is the position of the newest event that was moved out of memory to the stream of its
	// key, although a run may want it.
	left domain.Position
}

type kept struct {
	correlation string
	event       *Event
}

// box holds the events of one key, the oldest first, and the runs that await the key now, with
// their number of awaits.
type box struct {
	events  []*Event
	waiting map[domain.RunID]int
}

// run is an unfinished run that awaits events, or may do so later.
type run struct {
	from  domain.Position // events up to here do not concern it
	known bool            // from is known
	types []string        // that its plan awaits; nil for any
	open  []Await
	taken map[Key]*taken
}

// taken tells which events of a key a run has taken: all up to a position, and some after it.
type taken struct {
	upTo domain.Position
	ids  map[uuid.UUID]bool
}

// Await is an open await.
type Await struct {
	Key
	Step string `json:"step"`
	// Opened is the position of the event that opened it. It distinguishes two awaits of one step.
	Opened domain.Position `json:"opened"`
}

// NewIndex returns an index for events of the types.
func NewIndex(types []string) *Index {
	x := &Index{types: make(map[string]*kind, len(types)), runs: make(map[domain.RunID]*run)}
	for _, t := range types {
		x.types[t] = &kind{boxes: make(map[string]*box)}
	}
	return x
}

// Awaits reports whether events of the type are kept.
func (x *Index) Awaits(eventType string) bool { return x.types[eventType] != nil }

// Knows reports whether the index has the run, which may then await events.
func (x *Index) Knows(id domain.RunID) bool { return x.runs[id] != nil }

// Waits reports whether the run has an open await.
func (x *Index) Waits(id domain.RunID) bool {
	r := x.runs[id]
	return r != nil && len(r.open) > 0
}

// Begin adds a run whose plan awaits events of the types, and which events after the position
// concern. For a run that is there already, it sets the beginning.
func (x *Index) Begin(id domain.RunID, from domain.Position, types []string) {
	r := x.run(id)
	r.types = types
	if !r.known {
		r.from, r.known = from, true
	}
}

func (x *Index) run(id domain.RunID) *run {
	r := x.runs[id]
	if r == nil {
		r = &run{}
		x.runs[id] = r
	}
	return r
}

// Open notes that a run opened an await. It returns false if events of that type are not kept.
func (x *Index) Open(id domain.RunID, a Await) bool {
	k := x.types[a.Type]
	if k == nil {
		return false
	}
	r := x.run(id)
	r.open = append(r.open, a)
	b := k.box(a.Correlation)
	if b.waiting == nil {
		b.waiting = make(map[domain.RunID]int, 1)
	}
	b.waiting[id]++
	return true
}

func (k *kind) box(correlation string) *box {
	b := k.boxes[correlation]
	if b == nil {
		b = &box{}
		k.boxes[correlation] = b
	}
	return b
}

// Close notes that the matching awaits of a run are no longer open.
func (x *Index) Close(id domain.RunID, match func(Await) bool) {
	r := x.runs[id]
	if r == nil {
		return
	}
	r.open = slices.DeleteFunc(r.open, func(a Await) bool {
		if !match(a) {
			return false
		}
		k := x.types[a.Type]
		b := k.boxes[a.Correlation]
		if b.waiting[id]--; b.waiting[id] == 0 {
			delete(b.waiting, id)
		}
		k.tidy(a.Correlation, b)
		return true
	})
}

func (k *kind) tidy(correlation string, b *box) {
	if len(b.waiting) == 0 && len(b.events) == 0 {
		delete(k.boxes, correlation)
	}
}

// Met notes that a step's await was met. by is the id of the event as text, or something else.
func (x *Index) Met(id domain.RunID, step, by string) {
	r := x.runs[id]
	if r == nil {
		return
	}
	event, err := uuid.Parse(by)
	for _, a := range r.open {
		if a.Step == step && err == nil {
			x.Take(id, a.Key, event, 0)
		}
	}
	x.Close(id, func(a Await) bool { return a.Step == step })
}

// End forgets a run that has ended.
func (x *Index) End(id domain.RunID) {
	x.Close(id, func(Await) bool { return true })
	delete(x.runs, id)
}

// Add keeps an event and returns the runs that await it.
func (x *Index) Add(key Key, e Event) (waiting []domain.RunID) {
	k := x.types[key.Type]
	if k == nil {
		return nil
	}
	if len(e.Data) > keptData {
		e.Data = nil
	}
	b := k.box(key.Correlation)
	b.events = append(b.events, &e)
	k.order = append(k.order, kept{key.Correlation, &e})
	for id := range b.waiting {
		waiting = append(waiting, id)
	}
	return waiting
}

// Ready returns the runs with open awaits.
func (x *Index) Ready() (ids []domain.RunID) {
	for id, r := range x.runs {
		if len(r.open) > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// Offer is an event for a run, or a question that must be answered before the next event can be
// chosen.
type Offer struct {
	Key   Key
	Event *Event // nil for a question
	// Awaits are the open awaits of the key.
	Awaits []Await
	// Unknown asks for the run's beginning ([Index.Begin]); Left asks for the events of the key
	// that were moved out of memory.
	Unknown, Left bool
}

// Next returns the next delivery to a run; false if there is none. left are the events that earlier
// answers asked for with Left.
func (x *Index) Next(id domain.RunID, left map[Key][]Event) (Offer, bool) {
	r := x.runs[id]
	if r == nil || len(r.open) == 0 {
		return Offer{}, false
	}
	if !r.known {
		return Offer{Unknown: true}, true
	}
	for i, a := range r.open {
		if slices.ContainsFunc(r.open[:i], func(b Await) bool { return b.Key == a.Key }) {
			continue
		}
		k := x.types[a.Type]
		old, asked := left[a.Key]
		if !asked && r.upTo(a.Key) < k.left {
			return Offer{Key: a.Key, Left: true}, true
		}
		e := r.first(a.Key, old)
		if e == nil && asked {
			r.tookAll(a.Key, old, k.left)
		}
		if e == nil {
			e = r.firstOf(a.Key, k.boxes[a.Correlation])
		}
		if e != nil {
			o := Offer{Key: a.Key, Event: e}
			for _, b := range r.open {
				if b.Key == a.Key {
					o.Awaits = append(o.Awaits, b)
				}
			}
			return o, true
		}
	}
	return Offer{}, false
}

func (r *run) first(key Key, events []Event) *Event {
	for i := range events {
		if r.wants(key, &events[i]) {
			return &events[i]
		}
	}
	return nil
}

func (r *run) firstOf(key Key, b *box) *Event {
	if b == nil {
		return nil
	}
	for _, e := range b.events[r.after(key, b.events):] {
		if r.wants(key, e) {
			return e
		}
	}
	return nil
}

// upTo returns the position up to which the run wants no more events.
func (r *run) upTo(key Key) domain.Position {
	if t := r.taken[key]; t != nil {
		return max(r.from, t.upTo)
	}
	return r.from
}

// tookAll notes that the run wants none of the events that were moved out of memory.
func (r *run) tookAll(key Key, left []Event, upTo domain.Position) {
	t := r.takenOf(key)
	t.upTo = max(t.upTo, upTo)
	for _, e := range left {
		delete(t.ids, e.ID)
	}
}

func (r *run) takenOf(key Key) *taken {
	t := r.taken[key]
	if t == nil {
		if r.taken == nil {
			r.taken = make(map[Key]*taken, 1)
		}
		t = &taken{}
		r.taken[key] = t
	}
	return t
}

// after returns the index of the first event that a run may want.
func (r *run) after(key Key, events []*Event) int {
	from := r.upTo(key)
	i, found := slices.BinarySearchFunc(events, from, func(e *Event, p domain.Position) int {
		switch {
		case e.Position < p:
			return -1
		case e.Position > p:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	return i
}

func (r *run) wants(key Key, e *Event) bool {
	if e.Position <= r.from {
		return false
	}
	t := r.taken[key]
	return t == nil || e.Position > t.upTo && !t.ids[e.ID]
}

// Take notes that a run has taken the event at the position (0 if unknown).
func (x *Index) Take(id domain.RunID, key Key, event uuid.UUID, position domain.Position) {
	r := x.runs[id]
	if r == nil || position > 0 && position <= r.upTo(key) {
		return
	}
	t := r.takenOf(key)
	k := x.types[key.Type]
	if k == nil || !r.known {
		t.add(event)
		return
	}
	b := k.boxes[key.Correlation]
	if b == nil || r.upTo(key) < k.left { // earlier events may have been moved out of memory
		t.add(event)
		return
	}
	rest := b.events[r.after(key, b.events):]
	if len(rest) == 0 || rest[0].ID != event && !t.ids[rest[0].ID] {
		t.add(event)
		return
	}
	t.add(event)
	for _, e := range rest {
		if !t.ids[e.ID] {
			break
		}
		t.upTo = e.Position
		delete(t.ids, e.ID)
	}
}

func (t *taken) add(event uuid.UUID) {
	if t.ids == nil {
		t.ids = make(map[uuid.UUID]bool, 1)
	}
	t.ids[event] = true
}
