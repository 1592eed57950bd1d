package inbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
)

func id(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint(n))) }

// world is the same as an index, said plainly: it keeps everything and looks through all of it.
type world struct {
	events []Stored
	runs   map[int]*worldRun
}

type worldRun struct {
	from  domain.Position
	open  []Await
	taken []uuid.UUID
}

// next is the earliest event after the run's beginning that it has not taken, for the await that
// was opened first.
func (w *world) next(n int) *Event {
	r := w.runs[n]
	if r == nil {
		return nil
	}
	for _, a := range r.open {
		for i := range w.events {
			if e := &w.events[i]; e.Key == a.Key && e.Position > r.from && !slices.Contains(r.taken, e.ID) {
				return &e.Event
			}
		}
	}
	return nil
}

// TestEachAwaitGetsTheEarliestEventThatItsRunHasNotTaken holds an index, also one that leaves
// events to the store and is saved and restored in between, to a model that keeps all.
func TestEachAwaitGetsTheEarliestEventThatItsRunHasNotTaken(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		types := []string{"a", "b"}
		x, w := NewIndex(types), &world{runs: map[int]*worldRun{}}
		stored := map[Key][]Event{}
		key := func() Key {
			return Key{rapid.SampledFrom(types).Draw(t, "type"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "correlation")}
		}
		position := domain.Position(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			// A server's positions are byte offsets.
			position += domain.Position(rapid.IntRange(1, 1000).Draw(t, "gap"))
			n := rapid.IntRange(0, 3).Draw(t, "run")
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0, 1:
				e, k := Event{ID: id(int(position)), Position: position}, key()
				x.Add(k, e)
				w.events = append(w.events, Stored{k, e})
			case 2:
				if w.runs[n] == nil {
					x.Begin(id(n), position, nil)
					w.runs[n] = &worldRun{from: position}
				}
			case 3:
				if r := w.runs[n]; r != nil {
					a := Await{Key: key(), Step: fmt.Sprint(position), Opened: position}
					require.True(t, x.Open(id(n), a))
					r.open = append(r.open, a)
				}
			case 4:
				if w.runs[n] != nil && rapid.Bool().Draw(t, "end") {
					x.End(id(n))
					delete(w.runs, n)
				}
			case 5:
				excess := x.Excess(2, 100, domain.EndPosition)
				for k, events := range excess {
					stored[k] = append(stored[k], events...)
				}
				x.Leave(excess)
			case 6:
				raw, err := json.Marshal(x.Image())
				require.NoError(t, err)
				var m Image
				require.NoError(t, json.Unmarshal(raw, &m))
				x = NewIndex(types)
				x.Restore(&m)
			}
			for n := range 4 {
				deliverAll(t, x, w, stored, n)
			}
		}
		for n := range w.runs {
			x.End(id(n))
		}
		x.Excess(0, 0, domain.EndPosition)
		require.Zero(t, x.Kept(), "nobody wants anything")
		for _, k := range x.types {
			require.Empty(t, k.boxes)
		}
	})
}

// deliverAll delivers to a run what the index offers, and holds each to the model.
func deliverAll(t *rapid.T, x *Index, w *world, stored map[Key][]Event, n int) {
	left := map[Key][]Event{}
	for {
		o, ok := x.Next(id(n), left)
		if ok && o.Left {
			left[o.Key] = slices.Clone(stored[o.Key])
			continue
		}
		want := w.next(n)
		if !ok {
			require.Nil(t, want, "run %d", n)
			return
		}
		require.NotNil(t, want, "run %d is offered %d", n, o.Event.Position)
		require.Equal(t, want.Position, o.Event.Position)
		r := w.runs[n]
		r.taken = append(r.taken, want.ID)
		met := func(a Await) bool { return a.Key == o.Key }
		r.open = slices.DeleteFunc(r.open, met)
		if rapid.Bool().Draw(t, "told by the log") {
			for _, a := range o.Awaits {
				x.Met(id(n), a.Step, o.Event.ID.String())
			}
		} else {
			x.Take(id(n), o.Key, o.Event.ID, o.Event.Position)
			x.Take(id(n), o.Key, o.Event.ID, o.Event.Position)
			x.Close(id(n), met)
		}
	}
}

// TestRunThatTakesManyEventsRemembersFew: what is taken in order is remembered by its position.
func TestRunThatTakesManyEventsRemembersFew(t *testing.T) {
	t.Parallel()
	x, key := NewIndex([]string{"a"}), Key{"a", "1"}
	x.Begin(id(0), 0, nil)
	for n := range 1000 {
		p := domain.Position(10 * (n + 1))
		x.Add(key, Event{ID: id(n), Position: p})
		x.Open(id(0), Await{Key: key, Step: fmt.Sprint(n), Opened: p})
		o, ok := x.Next(id(0), nil)
		require.True(t, ok)
		require.Equal(t, p, o.Event.Position)
		x.Met(id(0), o.Awaits[0].Step, o.Event.ID.String())
	}
	require.Empty(t, x.runs[id(0)].taken[key].ids)
	require.Empty(t, x.Ready()[min(1, len(x.Ready())):])
}

// TestUnreadableIDsMeetAwaits: a default or an old program's event meets an await, too.
func TestUnreadableIDsMeetAwaits(t *testing.T) {
	t.Parallel()
	x, key := NewIndex([]string{"a"}), Key{"a", "1"}
	x.Begin(id(0), 0, nil)
	x.Open(id(0), Await{Key: key, Step: "s", Opened: 1})
	x.Met(id(0), "s", "default")
	require.Empty(t, x.Ready())
	require.Empty(t, x.Add(key, Event{ID: id(1), Position: 2}))
}
