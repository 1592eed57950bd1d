package saga

import (
	lru "container/list"
	"sync"

	"github.com/atonehq/atone/domain"
)

// runTable holds the actors of the runs in memory. Those that only wait are evicted, the longest
// unused first, when they are too many; those that ended at once.
//
// Locks are taken in the order actor, table; the table only tries an actor's lock.
type runTable struct {
	mu      sync.Mutex
	limit   int
	actors  map[domain.RunID]*actor
	resting *lru.List // of *actor, longest unused first
}

// restLink is an actor's place among the resting, nil if it does not rest.
type restLink = *lru.Element

func (t *runTable) init(limit int) {
	t.limit = limit
	t.actors = make(map[domain.RunID]*actor)
	t.resting = lru.New()
}

// get returns the run's actor, an empty one if it is not in memory.
func (t *runTable) get(c *Coordinator, id domain.RunID) *actor {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.actors[id]
	if a == nil {
		a = &actor{c: c, id: id, stream: domain.RunStream(id)}
		t.actors[id] = a
	} else if a.resting != nil {
		t.resting.Remove(a.resting)
		a.resting = nil
	}
	return a
}

// peek returns the run's actor if it is in memory; active means that it does not only rest there:
// somebody waits for the run, it holds a place among [Config.MaxRuns], or attempts of it are in flight here.
func (t *runTable) peek(id domain.RunID) (a *actor, active bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a = t.actors[id]
	return a, a != nil && a.resting == nil
}

// rest is told that an actor's inbox is empty. The caller holds the actor's lock.
func (t *runTable) rest(a *actor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.resting != nil {
		t.resting.Remove(a.resting)
		a.resting = nil
	}
	if len(a.waiters) > 0 || len(a.held) > 0 || a.placed { // its place is given back here, or nowhere
		return
	}
	if a.state == nil || a.state.End != "" && a.state.Quiet() {
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
			if !oldest.busy && len(oldest.inbox) == 0 && len(oldest.waiters) == 0 {
				t.drop(oldest)
			}
			oldest.mu.Unlock()
		}
	}
}

func (t *runTable) drop(a *actor) {
	a.gone = true
	delete(t.actors, a.id)
}
