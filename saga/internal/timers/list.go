package timers

import (
	"cmp"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// List lists the unfinished runs and, in a heap, when each next needs attention. It is a cache of
// what the log says and is rebuilt from it. It is safe to use concurrently.
type List struct {
	Config
	clock *Clock
	wake  func(domain.RunID)

	mu      sync.Mutex
	entries map[domain.RunID]*entry
	heap    wakeHeap
	// stepped is how far the wall clock had been set at the last look.
	stepped time.Duration
	// named is how many runs wait for an instant by the wall clock.
	named   int
	changed chan struct{} // has an element when the heap's head became earlier
}

// Config describes the nodes that share the log. The zero value means that the log is not shared.
type Config struct {
	// Node is this coordinator's incarnation.
	Node string
	// Delay returns how long after the due time this coordinator acts on a run that owner last
	// wrote to; nil means always at once.
	Delay func(run domain.RunID, owner string) time.Duration
}

// entry is an unfinished run.
type entry struct {
	run domain.RunID
	due time.Time // by the steady clock
	// instant is the earliest named time on the wall clock, if there is one.
	instant time.Time
	wake    domain.Wake
	at      int64 // the revision that says so
	// tended is the run's owner when it was last chosen.
	tended string
	index  int // in the heap, -1 if not on it
}

// NewList returns a list that calls wake, concurrently, with each run whose time has come.
func NewList(clock *Clock, cfg Config, wake func(domain.RunID)) *List {
	return &List{Config: cfg, clock: clock, wake: wake, entries: make(map[domain.RunID]*entry), changed: make(chan struct{}, 1)}
}

// OverdueDelay is how long until a run is woken again whose time had passed but that could not act,
// for example because it waits for a place (which also wakes it).
const OverdueDelay = time.Second

// anyRevision, for [List.SetAt], is newer than every known revision.
const anyRevision = -1

// Set is [List.SetAt] for the newest information, with times of this coordinator's clock.
func (l *List) Set(run domain.RunID, wake domain.Wake, progressed bool) {
	l.SetAt(run, anyRevision, wake, l.clock.Read().Stepped, progressed)
}

// SetAt records what a run waits for according to its event at that revision. Older information is
// ignored. ahead is how far the wall clock of the times is ahead of this coordinator's steady
// clock. progressed says whether the run has just made progress.
//
// Timers never move later, unless they are another coordinator's: firing early costs one look.
func (l *List) SetAt(run domain.RunID, revision int64, wake domain.Wake, ahead time.Duration, progressed bool) {
	now := l.clock.Read()
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[run]
	if e != nil && revision != anyRevision && revision < e.at {
		return
	}
	if wake.Over() {
		if e != nil {
			l.unschedule(e)
			l.name(e, time.Time{})
			delete(l.entries, run)
		}
		return
	}
	if e == nil {
		e = &entry{run: run, index: -1}
		l.entries[run] = e
	}
	if !progressed {
		// A look does not change the run's owner.
		wake.Node = cmp.Or(e.wake.Node, wake.Node)
	}
	e.wake, e.at = wake, max(e.at, revision)
	l.name(e, wake.Instant)
	if wake.Due.IsZero() {
		l.unschedule(e)
		return
	}
	due := earlier(wake.Due.Add(-ahead), wake.Instant, now.Stepped)
	if l.Delay != nil {
		delay := l.Delay(run, wake.Node)
		due = due.Add(delay)
		// Looking at another node's run reads its stream: wait until that node's turn is over.
		if delay > 0 {
			l.unschedule(e)
		}
	}
	if e.index >= 0 && !due.Before(e.due) {
		return
	}
	if !progressed && !due.After(now.Steady) {
		due = now.Steady.Add(OverdueDelay)
	}
	l.schedule(e, due)
}

// earlier returns the earlier of a time on the steady clock and an instant, if there is one.
func earlier(due, instant time.Time, stepped time.Duration) time.Time {
	if at := instant.Add(-stepped); !instant.IsZero() && at.Before(due) {
		return at
	}
	return due
}

// name notes the instant that a run waits for. Callers hold mu.
func (l *List) name(e *entry, instant time.Time) {
	switch {
	case e.instant.IsZero() && !instant.IsZero():
		l.named++
	case !e.instant.IsZero() && instant.IsZero():
		l.named--
	}
	e.instant = instant
}

// Again wakes an unfinished run after a delay, unless it is woken sooner anyway.
func (l *List) Again(run domain.RunID, after time.Duration) {
	due := l.clock.Steady().Add(after)
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entries[run]; e != nil && (e.index < 0 || due.Before(e.due)) {
		l.schedule(e, due)
	}
}

// OwnerOf returns the node that last wrote to a run, empty if unknown.
func (l *List) OwnerOf(run domain.RunID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entries[run]; e != nil {
		return e.wake.Node
	}
	return ""
}

// IsOurs reports whether a run is unfinished and owned by this coordinator or by none.
func (l *List) IsOurs(run domain.RunID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[run]
	return e != nil && (l.Delay == nil || e.wake.Node == "" || e.wake.Node == l.Node)
}

// Has reports whether the run is unfinished.
func (l *List) Has(run domain.RunID) bool {
	_, ok := l.StateOf(run)
	return ok
}

// StateOf returns the state of an unfinished run.
func (l *List) StateOf(run domain.RunID) (domain.RunState, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entries[run]; e != nil {
		return e.wake.State, true
	}
	return "", false
}

// States returns the unfinished runs with their states.
func (l *List) States() map[domain.RunID]domain.RunState {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[domain.RunID]domain.RunState, len(l.entries))
	for id, e := range l.entries {
		out[id] = e.wake.State
	}
	return out
}

// Counts counts the unfinished runs by state.
func (l *List) Counts() map[domain.RunState]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[domain.RunState]int)
	for _, e := range l.entries {
		out[e.wake.State]++
	}
	return out
}

// Len returns how many runs are unfinished.
func (l *List) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// Choose returns the unfinished runs that f accepts, in no order. again means that the run was
// chosen before and has had the same owner since. f is called under the list's lock.
func (l *List) Choose(f func(run domain.RunID, wake domain.Wake, again bool) bool) []domain.RunID {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []domain.RunID
	for id, e := range l.entries {
		if f(id, e.wake, e.tended == e.wake.Node) {
			e.tended = e.wake.Node
			ids = append(ids, id)
		}
	}
	return ids
}
