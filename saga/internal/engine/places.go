package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/atonehq/atone/domain"
)

// places are those among [Config.MaxRuns]. A root run and all its descendants are one family. A
// family takes one place while any of its runs has something owed or in flight; a family that only
// waits takes none. A start waits for a place. A run that goes on after a wait takes one at once,
// even beyond the limit, because it must not wait for others to end. It is safe to use
// concurrently.
type places struct {
	limit int

	mu sync.Mutex
	// holds counts, by root run, how many runs of the family hold its place.
	holds map[domain.RunID]int
	queue []*placeWaiter // starts that wait, first come first served
}

type placeWaiter struct {
	root    domain.RunID
	granted chan struct{}
}

func (p *places) init(limit int) { p.limit, p.holds = limit, make(map[domain.RunID]int) }

// acquire waits for a place for the family and holds it. The error is ctx's, or
// [domain.ErrNotRunning] once life ends.
func (p *places) acquire(ctx context.Context, life <-chan struct{}, root domain.RunID) error {
	p.mu.Lock()
	if p.holds[root] > 0 || len(p.queue) == 0 && len(p.holds) < p.limit {
		p.holds[root]++
		p.mu.Unlock()
		return nil
	}
	w := &placeWaiter{root: root, granted: make(chan struct{})}
	p.queue = append(p.queue, w)
	p.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		p.stopWaiting(w)
		return fmt.Errorf("%d runs are under way, which is the limit: %w", p.limit, ctx.Err())
	case <-life:
		p.stopWaiting(w)
		return domain.ErrNotRunning
	}
}

// stopWaiting ends a wait, and gives back the place if it was granted meanwhile.
func (p *places) stopWaiting(w *placeWaiter) {
	p.mu.Lock()
	i := slices.Index(p.queue, w)
	if i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 {
		p.giveBack(w.root)
	}
}

// hold takes the family's place without waiting for one.
func (p *places) hold(root domain.RunID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds[root]++
}

// giveBack ends one hold; with the last one the place is free.
func (p *places) giveBack(root domain.RunID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holds[root]--; p.holds[root] > 0 {
		return
	}
	delete(p.holds, root)
	for len(p.queue) > 0 && len(p.holds) < p.limit {
		w := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		p.holds[w.root]++
		close(w.granted)
	}
}

// taken returns how many families hold a place.
func (p *places) taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.holds)
}

// familyOf returns the first run of the run's family. The start of a grandchild by an older program
// does not name it: its parent then counts as a family of its own.
func familyOf(id domain.RunID, start *domain.RunStarted) domain.RunID {
	switch p := start.Parent; {
	case p == nil:
		return id
	case p.Root != domain.RunID{}:
		return p.Root
	default:
		return p.Run
	}
}

// keepPlace holds the family's place while the run has something owed or in flight here, and gives
// it back when the run only waits: for a time, an event, a person, a child run, or a program that
// has its code.
func (a *actor) keepPlace() {
	busy := a.State.AtWork() && a.engine.cfg.Wakeups.IsOurs(a.id)
	switch {
	case busy && !a.placed:
		a.engine.places.hold(a.root())
	case !busy && a.placed:
		a.engine.places.giveBack(a.root())
	}
	a.placed = busy
}

// giveBackPlace gives the run's place back, whatever it has in flight.
func (a *actor) giveBackPlace() {
	if a.placed {
		a.placed = false
		a.engine.places.giveBack(a.family)
	}
}

// root returns the root of the run's family.
func (a *actor) root() domain.RunID {
	if a.family == (domain.RunID{}) {
		a.family = familyOf(a.id, &a.State.Start)
	}
	return a.family
}
