package recovery

import (
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// List is the list of unfinished runs, complete up to a position in the log. For some runs it may
// already include later events; reading on from the position gives the same result. It is safe to
// use concurrently.
type List struct {
	mu       sync.Mutex
	position domain.Position
	runs     map[domain.RunID]domain.Wake
	// read counts the events of runs that were read since the list was last saved, or loaded.
	read int
	// savedAt is when it was last saved or loaded; saving is how long that took.
	savedAt time.Time
	saving  time.Duration
}

func newList(at domain.Position) *List {
	return &List{position: at, runs: make(map[domain.RunID]domain.Wake), savedAt: time.Now()}
}

// Position returns how far the log was read.
func (l *List) Position() domain.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.position
}

// Len returns how many runs are on the list.
func (l *List) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runs)
}

// Each calls f with every run and what it waits for, under the list's lock.
func (l *List) Each(f func(run domain.RunID, w domain.Wake)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for run, w := range l.runs {
		f(run, w)
	}
}

// take applies an event of a run.
func (l *List) take(e *domain.Recorded) {
	run, ok := domain.RunOfStream(e.Stream)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Position <= l.position {
		return // another reader was here
	}
	l.read++
	l.set(run, domain.WakeOf(e.Metadata))
}

// Follow takes a delivery from another reader of the whole log, so that the log need not be read
// twice. That reader must deliver in log order and have begun no later than the list's position.
// Several readers may run at once.
func (l *List) Follow(d domain.Delivery) {
	if d.Position == domain.EndPosition {
		return
	}
	if d.Event != nil {
		l.take(d.Event)
	}
	l.reach(d.Position)
}

// set notes what a run waits for. Callers hold mu.
func (l *List) set(run domain.RunID, w domain.Wake) {
	if w.Over() {
		delete(l.runs, run)
	} else {
		l.runs[run] = w
	}
}

// reach notes that the list is complete up to a position.
func (l *List) reach(at domain.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.position = max(l.position, at)
}

// unsaved returns how many events were read since the list was saved.
func (l *List) unsaved() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read
}

// worthSaving reports whether to save the list in the middle of reading: enough events were read
// since it was last saved or, if the latest delivery had no event, enough time has passed.
func (l *List) worthSaving(events int, found bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read >= max(events, len(l.runs)) || !found && time.Since(l.savedAt) > max(saveAfter, 10*l.saving)
}

// copy returns the content to save, and a function to call afterwards.
func (l *List) copy() (at domain.Position, runs []listed, saved func()) {
	began := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	runs = make([]listed, 0, len(l.runs))
	for run, w := range l.runs {
		runs = append(runs, listed{run, w})
	}
	return l.position, runs, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.read, l.savedAt, l.saving = 0, time.Now(), time.Since(began)
	}
}
