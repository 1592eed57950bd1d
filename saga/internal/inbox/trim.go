package inbox

import (
	"slices"

	"github.com/atonehq/atone/domain"
)

// Excess makes room if more events of a type are kept than the limit. It drops the oldest events
// that no run may want. Of those that a run may want, it returns at most so many, to be stored
// under their keys and then dropped with [Index.Leave]. Runs that start later may want events after
// horizon.
func (x *Index) Excess(limit, most int, horizon domain.Position) map[Key][]Event {
	var excess map[Key][]Event
	for name, k := range x.types {
		if len(k.order) <= limit {
			continue
		}
		wanted := min(horizon, x.wantedFrom(name))
		over, unwanted := len(k.order)-limit*3/4, 0
		for unwanted < over && k.order[unwanted].event.Position <= wanted {
			unwanted++
		}
		k.drop(unwanted)
		for i := 0; i < over-unwanted && len(k.order) > limit && i < most; i++ {
			if excess == nil {
				excess = make(map[Key][]Event)
			}
			key := Key{name, k.order[i].correlation}
			excess[key] = append(excess[key], *k.order[i].event)
		}
	}
	return excess
}

// Over reports whether more events of a type are kept than the limit.
func (x *Index) Over(limit int) bool {
	for _, k := range x.types {
		if len(k.order) > limit {
			return true
		}
	}
	return false
}

// wantedFrom is the position up to which no known run wants events of the type.
func (x *Index) wantedFrom(eventType string) domain.Position {
	from := domain.EndPosition
	for _, r := range x.runs {
		if r.types != nil && !slices.Contains(r.types, eventType) {
			continue
		}
		if !r.known {
			return 0
		}
		from = min(from, r.from)
	}
	return from
}

// Leave drops events that have been stored under their keys.
func (x *Index) Leave(stored map[Key][]Event) {
	last := make(map[string]domain.Position)
	for key, events := range stored {
		last[key.Type] = max(last[key.Type], events[len(events)-1].Position)
	}
	for name, position := range last {
		k := x.types[name]
		n := 0
		for n < len(k.order) && k.order[n].event.Position <= position {
			n++
		}
		k.drop(n)
		k.left = max(k.left, position)
	}
}

// drop forgets the n oldest events.
func (k *kind) drop(n int) {
	for i, o := range k.order[:n] {
		b := k.boxes[o.correlation]
		b.events[0] = nil
		b.events = b.events[1:]
		k.tidy(o.correlation, b)
		k.order[i] = kept{}
	}
	k.order = slices.Clip(k.order[n:])
}

// Kept returns how many events are kept.
func (x *Index) Kept() (n int) {
	for _, k := range x.types {
		n += len(k.order)
	}
	return n
}

// Known returns how many runs are known.
func (x *Index) Known() int { return len(x.runs) }
