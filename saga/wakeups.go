package saga

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// wakeups lists the unfinished runs and, in a heap, when each next needs attention. It is a
// cache of what the log says and is rebuilt from it. It is safe to use concurrently.
type wakeups struct {
	clock *clock
	wake  func(domain.RunID)
	// delay is how long after its time this coordinator acts on a run: 0 where it shares its
	// log with nobody.
	delay func(run domain.RunID, owner string) time.Duration
	// own names this coordinator among those that share the log.
	own string

	mu      sync.Mutex
	entries map[domain.RunID]*wakeup
	heap    wakeHeap
	// stepped is by how much the wall clock had been set at the last look, named how many entries
	// wait for an instant by it.
	stepped time.Duration
	named   int
	changed chan struct{} // has an element when the heap's head became earlier
}

type wakeup struct {
	run domain.RunID
	due time.Time // by the steady clock
	// instant is the earliest time by the wall clock that somebody named, if there is one.
	instant time.Time
	wake    domain.Wake
	at      int64 // the revision that says so
	// tended is the node in whose hands the run was when it was last chosen.
	tended string
	index  int // in the heap, -1 if not on it
}

func (w *wakeups) init(clock *clock, wake func(domain.RunID)) {
	w.clock, w.wake = clock, wake
	w.entries = make(map[domain.RunID]*wakeup)
	w.changed = make(chan struct{}, 1)
}

// overdueDelay is when a run is woken again whose time had passed but that could not act, for
// example because it waits for a slot (which calls it back by itself).
const overdueDelay = time.Second

// set records what a run waits for; progressed says whether it has just got on. A timer that now
// lies later is left as it is, unless it is another coordinator's: firing early costs one look.
func (w *wakeups) set(run domain.RunID, wake domain.Wake, progressed bool) {
	w.setAt(run, anyRevision, wake, w.clock.read().stepped, progressed)
}

// anyRevision, for [wakeups.setAt], is newer than what is known.
const anyRevision = -1

// over reports whether a run needs no attention any more.
func over(w domain.Wake) bool { return w.State.Ended() && !w.Busy && w.Due.IsZero() }

// setAt is set for what the run's event of that revision says, by a wall clock that is so far ahead of
// this coordinator's steady one: what is older than what is known is passed over.
func (w *wakeups) setAt(run domain.RunID, at int64, wake domain.Wake, ahead time.Duration, progressed bool) {
	now := w.clock.read()
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.entries[run]
	if e != nil && at != anyRevision && at < e.at {
		return
	}
	if over(wake) {
		if e != nil {
			w.remove(e)
			w.name(e, time.Time{})
			delete(w.entries, run)
		}
		return
	}
	if e == nil {
		e = &wakeup{run: run, index: -1}
		w.entries[run] = e
	}
	if !progressed {
		wake.Node = orElse(e.wake.Node, wake.Node) // a look does not change in whose hands the run is
	}
	e.wake, e.at = wake, max(e.at, at)
	w.name(e, wake.Instant)
	if wake.Due.IsZero() {
		w.remove(e)
		return
	}
	due := earlier(wake.Due.Add(-ahead), wake.Instant, now.stepped)
	if w.delay != nil {
		delay := w.delay(run, wake.Node)
		due = due.Add(delay)
		if delay > 0 { // a look at another's run reads its stream: have it only when due
			w.remove(e)
		}
	}
	if e.index >= 0 && !due.Before(e.due) {
		return
	}
	if !progressed && !due.After(now.steady) {
		due = now.steady.Add(overdueDelay)
	}
	w.schedule(e, due)
}

// earlier returns the earlier of a time by the steady clock and an instant, where there is one.
func earlier(due, instant time.Time, stepped time.Duration) time.Time {
	if at := instant.Add(-stepped); !instant.IsZero() && at.Before(due) {
		return at
	}
	return due
}

// name notes the instant that a run waits for. Callers hold mu.
func (w *wakeups) name(e *wakeup, instant time.Time) {
	switch {
	case e.instant.IsZero() && !instant.IsZero():
		w.named++
	case !e.instant.IsZero() && instant.IsZero():
		w.named--
	}
	e.instant = instant
}

// heed brings what waits for an instant forward after the wall clock was set forward. Set back, such runs
// are looked at too early once, which does no harm. Callers hold mu.
func (w *wakeups) heed(stepped time.Duration) {
	if stepped > w.stepped && w.named > 0 {
		for _, e := range w.entries {
			if at := e.instant.Add(-stepped); !e.instant.IsZero() && (e.index < 0 || at.Before(e.due)) {
				w.schedule(e, at)
			}
		}
	}
	w.stepped = stepped
}

// again has an unfinished run woken after that long, unless it is woken sooner anyway.
func (w *wakeups) again(run domain.RunID, after time.Duration) {
	due := w.clock.steady().Add(after)
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.entries[run]; e != nil && (e.index < 0 || due.Before(e.due)) {
		w.schedule(e, due)
	}
}

// schedule puts a run on the heap, or moves it there. Callers hold mu.
func (w *wakeups) schedule(e *wakeup, due time.Time) {
	e.due = due
	if e.index < 0 {
		heap.Push(&w.heap, e)
	} else {
		heap.Fix(&w.heap, e.index)
	}
	if e.index == 0 {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
}

func (w *wakeups) remove(e *wakeup) {
	if e.index >= 0 {
		heap.Remove(&w.heap, e.index)
	}
}

// Naps bound how long the timers are asleep, so that a wall clock that is set makes nothing that
// waits for an instant later than by one. Nothing else depends on them.
const (
	nap     = 10 * time.Second
	wallNap = time.Second // while something waits for an instant
)

// wakeWidth is how many runs are woken at once.
const wakeWidth = 256

// run wakes runs when they are due, until ctx ends.
func (w *wakeups) run(ctx context.Context) {
	timer := time.NewTimer(nap)
	defer timer.Stop()
	width := make(chan struct{}, wakeWidth)
	var all sync.WaitGroup
	defer all.Wait()
	for {
		due, next := w.take()
		for _, run := range due {
			select {
			case width <- struct{}{}:
			case <-ctx.Done():
				return
			}
			all.Add(1)
			go func() {
				defer all.Done()
				w.wake(run)
				<-width
			}()
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-w.changed:
		case <-ctx.Done():
			return
		}
	}
}

// take removes what is due from the heap and returns it with the time until the next look.
func (w *wakeups) take() (due []domain.RunID, next time.Duration) {
	now := w.clock.read()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heed(now.stepped)
	next = nap
	if w.named > 0 {
		next = wallNap
	}
	for len(w.heap) > 0 {
		e := w.heap[0]
		if e.due.After(now.steady) {
			return due, min(e.due.Sub(now.steady), next)
		}
		heap.Pop(&w.heap)
		due = append(due, e.run)
	}
	return due, next
}

// ownerOf returns the node in whose hands a run is, empty if it is not known.
func (w *wakeups) ownerOf(run domain.RunID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.entries[run]; e != nil {
		return e.wake.Node
	}
	return ""
}

// isOurs reports whether a run that needs attention is in this coordinator's hands, or in nobody's.
func (w *wakeups) isOurs(run domain.RunID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.entries[run]
	return e != nil && (w.delay == nil || e.wake.Node == "" || e.wake.Node == w.own)
}

// has reports whether the run is unfinished.
func (w *wakeups) has(run domain.RunID) bool {
	_, ok := w.stateOf(run)
	return ok
}

// stateOf returns the state of an unfinished run.
func (w *wakeups) stateOf(run domain.RunID) (domain.RunState, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.entries[run]; e != nil {
		return e.wake.State, true
	}
	return "", false
}

func (w *wakeups) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.entries)
}

// choose returns the unfinished runs that f accepts, in no order; again means that the run was chosen before and is
// in the same hands. f is called under the lock.
func (w *wakeups) choose(f func(run domain.RunID, wake domain.Wake, again bool) bool) []domain.RunID {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []domain.RunID
	for id, e := range w.entries {
		if f(id, e.wake, e.tended == e.wake.Node) {
			e.tended = e.wake.Node
			ids = append(ids, id)
		}
	}
	return ids
}

// wakeHeap implements heap.Interface over the runs' times.
type wakeHeap []*wakeup

func (h wakeHeap) Len() int           { return len(h) }
func (h wakeHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h wakeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *wakeHeap) Push(x any) {
	e := x.(*wakeup)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *wakeHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}
