package recovery

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/atonehq/atone/domain"
)

// Own watches this process's appends to runs, so that the list of unfinished runs need not be read
// from the log. This works only while no other process writes to runs. After an append without a
// clear answer, or a conflict with another writer's event, Own gives up and the list is read from
// the log. It is safe to use concurrently.
//
// Appends are acknowledged in any order. So each append remembers the newest position that was
// acknowledged when it began; its own position is later. Everything up to the smallest of these is
// on the list.
type Own struct {
	// appended and heard count the events of runs that this process appended, and that it saw in a
	// shared log.
	appended, heard atomic.Int64

	mu     sync.Mutex
	on     bool
	list   *List // nil until the log was read
	acked  domain.Position
	flying map[*flight]struct{}
	// early has the appends made while the log was being read.
	early map[domain.RunID]early
}

// early is what a run waits for after the append at the position.
type early struct {
	at   domain.Position
	wake domain.Wake
}

// flight is an append without an answer yet.
type flight struct {
	after domain.Position
}

// begin starts watching.
func (o *Own) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.on, o.flying, o.early = true, make(map[*flight]struct{}), make(map[domain.RunID]early)
}

// follow makes a list that was read from the log follow the appends from now on. Appends that began
// meanwhile are after what was read, or were read.
func (o *Own) follow(list *List) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.on {
		return
	}
	at := list.Position()
	o.acked = max(o.acked, at)
	for f := range o.flying {
		f.after = max(f.after, at)
	}
	list.mu.Lock()
	defer list.mu.Unlock()
	for run, e := range o.early {
		if e.at > at { // otherwise it was read already, perhaps with later events
			list.set(run, e.wake)
		}
	}
	o.list, o.early = list, nil
}

// settle moves the list's position up to what is known to be on it. It returns false if the list
// must be read from the log.
func (o *Own) settle(list *List) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.on {
		return false
	}
	list.reach(o.safe())
	return true
}

// safe is the position up to which everything is on the list. Callers hold mu.
func (o *Own) safe() domain.Position {
	at := o.acked
	for f := range o.flying {
		at = min(at, f.after)
	}
	return at
}

// giveUp stops watching. Callers hold mu.
func (o *Own) giveUp() {
	if o.list != nil {
		o.list.reach(o.safe())
	}
	o.on, o.list, o.flying, o.early = false, nil, nil, nil
}

// came counts the events of runs that were appended to the log, as far as this process knows.
func (o *Own) came() int64 { return max(o.appended.Load(), o.heard.Load()) }

// Heard counts an event of a run that was seen in a shared log.
func (o *Own) Heard() { o.heard.Add(1) }

// Appender is the part of a log that is watched.
type Appender interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
}

// Append appends to the log and notes what that means for the list.
func (o *Own) Append(ctx context.Context, log Appender, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	run, isRun := domain.RunOfStream(stream)
	if !isRun || len(events) == 0 {
		return log.Append(ctx, stream, expected, events...)
	}
	f := o.took()
	settled := false
	defer func() {
		if !settled { // a log that panicked may have written the event
			o.lost(f)
		}
	}()
	at, err := log.Append(ctx, stream, expected, events...)
	settled = true
	switch {
	case err == nil:
		o.appended.Add(int64(len(events)))
		if at.Position == 0 {
			o.lost(f) // the log no longer knows the position
		} else if f != nil {
			o.landed(f, run, at.Position, domain.WakeOf(events[len(events)-1].Metadata))
		}
	case notWritten(expected, err):
		o.refused(f)
	default:
		o.lost(f)
	}
	return at, err
}

// notWritten reports whether an append's error says that nothing was written, and that no other
// process wrote instead. A start with a key that was used before conflicts with this process's own
// run, so it counts too.
func notWritten(expected domain.Expected, err error) bool {
	return errors.Is(err, domain.ErrConflict) && expected == domain.NoStream || errors.Is(err, domain.ErrTooLarge)
}

// took notes that an append begins; it returns nil if nothing is watched.
func (o *Own) took() *flight {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.on {
		return nil
	}
	f := &flight{o.acked}
	o.flying[f] = struct{}{}
	return f
}

// landed notes what a run waits for after the append at the position.
func (o *Own) landed(f *flight, run domain.RunID, at domain.Position, w domain.Wake) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.on {
		return
	}
	delete(o.flying, f)
	o.acked = max(o.acked, at)
	if o.list == nil {
		o.early[run] = early{at, w}
		return
	}
	o.list.mu.Lock()
	defer o.list.mu.Unlock()
	o.list.set(run, w)
}

// refused notes that an append wrote nothing.
func (o *Own) refused(f *flight) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f != nil && o.on {
		delete(o.flying, f)
	}
}

// lost notes that an append's result is unknown, or that another process writes.
func (o *Own) lost(f *flight) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f != nil && o.on {
		o.giveUp()
	}
}
