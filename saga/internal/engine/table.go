package engine

import (
	lru "container/list"
	"sync"

	"github.com/atonehq/atone/domain"
)

// table holds the actors of the runs in memory. If there are too many that only wait, the longest
// unused are evicted first. Ended runs are evicted at once.
//
// Locks are taken in the order actor, table; the table only tries an actor's lock.
type table struct {
	mu      sync.Mutex
	limit   int
	actors  map[domain.RunID]*actor
	resting *lru.List // of *actor, longest unused first
}

// restLink is an actor's place among the resting, nil if it does not rest.
type restLink = *lru.Element

func (t *table) init(limit int) {
	t.limit = limit
	t.actors = make(map[domain.RunID]*actor)
	t.resting = lru.New()
}

// get returns the run's actor, an empty one if it is not in memory.
func (t *table) get(e *Engine, id domain.RunID) *actor {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.actors[id]
	if a == nil {
		a = &actor{engine: e, id: id, stream: domain.RunStream(id)}
		t.actors[id] = a
	} else if a.resting != nil {
		t.resting.Remove(a.resting)
		a.resting = nil
	}
	return a
}

// lock returns the run's actor with its mu held.
func (t *table) lock(e *Engine, id domain.RunID) *actor {
	for {
		a := t.get(e, id)
		a.mu.Lock()
		if !a.gone {
			return a
		}
		a.mu.Unlock()
	}
}

// peek returns the run's actor if it is in memory. active means that the run does not only rest
// there: somebody waits for it, it holds a place among [Config.MaxRuns], or attempts of it are in
// flight here.
func (t *table) peek(id domain.RunID) (a *actor, active bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a = t.actors[id]
	return a, a != nil && a.resting == nil
}

// rest is called when no request waits for an actor. The caller holds the actor's lock.
func (t *table) rest(a *actor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.resting != nil {
		t.resting.Remove(a.resting)
		a.resting = nil
	}
	// An actor gives its run's places back itself, so it stays while it holds any.
	if len(a.waiters) > 0 || len(a.held) > 0 || a.placed {
		return
	}
	if a.State == nil || a.State.End != "" && !a.State.Wake().Busy {
		t.drop(a)
		return
	}
	a.resting = t.resting.PushBack(a)
	for t.resting.Len() > t.limit {
		oldest := t.resting.Front().Value.(*actor)
		t.resting.Remove(oldest.resting)
		oldest.resting = nil
		if oldest == a {
			t.drop(a)
		} else if oldest.mu.TryLock() {
			if !oldest.busy && len(oldest.requests) == 0 && len(oldest.waiters) == 0 {
				t.drop(oldest)
			}
			oldest.mu.Unlock()
		}
	}
}

func (t *table) drop(a *actor) {
	a.gone = true
	delete(t.actors, a.id)
}
