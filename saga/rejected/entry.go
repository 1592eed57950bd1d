package rejected

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// entry is what is kept in memory of a rejected event, about 100 bytes: the rest is read from the
// stream.
type entry struct {
	id, event uuid.UUID
	of        *Of
	state     State
	// rejected and settled are revisions of the stream; settled is that of the event that ended it.
	rejected, settled uint64
}

// entries are all rejected events, in the order of the stream. Book.mu guards them.
type entries struct {
	all  []entry
	at   map[uuid.UUID]int // in all, by id
	of   map[Of]*Of        // so that the names are kept once
	open map[Of]int
}

func newEntries() entries {
	return entries{at: make(map[uuid.UUID]int), of: make(map[Of]*Of), open: make(map[Of]int)}
}

// fold takes an event of the stream. It reports whether the event could be read.
func (l *entries) fold(r *domain.Recorded) bool {
	switch r.Type {
	case rejectedType:
		var e rejection
		if json.Unmarshal(r.Data, &e) != nil || e.ID == uuid.Nil {
			return false
		}
		if _, known := l.at[e.ID]; !known { // else two nodes rejected it, or one did twice
			l.at[e.ID] = len(l.all)
			l.all = append(l.all, entry{id: e.ID, event: e.Event, of: l.name(Of{e.Saga, e.Type}), state: Open, rejected: r.Revision})
			l.open[Of{e.Saga, e.Type}]++
		}
	case startedType, dismissedType:
		var s settlement
		if json.Unmarshal(r.Data, &s) != nil {
			return false
		}
		if i, known := l.at[s.ID]; known {
			l.settle(&l.all[i], r)
		}
	default:
		return false
	}
	return true
}

// settle notes what became of an event. The first answer counts, but a run that started is a fact,
// whoever dismissed the event before.
func (l *entries) settle(e *entry, r *domain.Recorded) {
	state := Dismissed
	if r.Type == startedType {
		state = Started
	}
	if e.state == state || e.state == Started {
		return
	}
	if e.state == Open {
		l.open[*e.of]--
	}
	e.state, e.settled = state, r.Revision
}

func (l *entries) name(of Of) *Of {
	known := l.of[of]
	if known == nil {
		known = &of
		l.of[of] = known
	}
	return known
}

// matches reports whether the filter selects the entry.
func (f *Filter) matches(e *entry, named map[uuid.UUID]bool) bool {
	return (f.State == "" || e.state == f.State) && (len(f.Sagas) == 0 || slices.Contains(f.Sagas, e.of.Saga)) &&
		(f.Type == "" || e.of.Type == f.Type) && (len(named) == 0 || named[e.id] || named[e.event])
}
