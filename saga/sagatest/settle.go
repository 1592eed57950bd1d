package sagatest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// tap is the log as one coordinator has it. It tells the kit what is appended, and takes nothing
// more once that coordinator has died.
type tap struct {
	domain.Log
	kit  *Kit
	died atomic.Bool
}

func (l *tap) die()       { l.died.Store(true) }
func (l *tap) dead() bool { return l.died.Load() }

// Append implements [domain.Log].
func (l *tap) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if l.dead() {
		return domain.Appended{}, fmt.Errorf("%w: its process was killed", domain.ErrClosed)
	}
	at, err := l.Log.Append(ctx, stream, expected, events...)
	if err == nil && len(events) > 0 {
		l.kit.appended(stream, events[len(events)-1], at.Position)
	}
	return at, err
}

// appended notes what a coordinator appended, of which e is the latest event.
func (k *Kit) appended(stream string, e domain.NewEvent, at domain.Position) {
	run, isRun := domain.RunOfStream(stream)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.moved++
	k.head = max(k.head, at)
	if isRun && domain.ReservedType(e.Type) {
		if _, known := k.wakes[run]; !known {
			k.order = append(k.order, run)
		}
		k.wakes[run] = domain.WakeOf(e.Metadata)
	}
	k.changed.Broadcast()
}

// stir has those who wait look again.
func (k *Kit) stir() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.moved++
	k.changed.Broadcast()
}

// patience is how long a test waits for what takes no time; in a testing/synctest bubble, where a
// handler may sleep in the bubble's time, it is the longer one.
const (
	patience       = time.Minute
	bubblePatience = 24 * time.Hour
)

// patienceHere returns the patience of the test that calls it.
func patienceHere() time.Duration {
	if inBubble() {
		return bubblePatience
	}
	return patience
}

// inBubble reports whether it is called inside a testing/synctest bubble.
func inBubble() (yes bool) {
	defer func() { yes = recover() == nil }()
	synctest.Wait() // panics outside of one
	return true
}

// await waits until done, which is called again at every change, returns true. It returns false
// when its patience is over. done is called without the kit's lock.
func (k *Kit) await(done func() bool) bool {
	late := false
	timer := time.AfterFunc(k.patience, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		late = true
		k.changed.Broadcast()
	})
	defer timer.Stop()
	for {
		k.mu.Lock()
		seen := k.moved
		k.mu.Unlock()
		if done() {
			return true
		}
		k.mu.Lock()
		for k.moved == seen && !late {
			k.changed.Wait()
		}
		over := late
		k.mu.Unlock()
		if over {
			return false
		}
	}
}

// Settle waits until nothing moves: each run has ended, or waits for a time, a signal, an event, a
// person, or for a stand-in that the test holds. It fails the test if that takes longer than a
// minute: a handler runs, and time stands still while one does. See [Kit.Jump].
func (k *Kit) Settle() {
	k.t.Helper()
	if k.await(k.settled) {
		return
	}
	k.t.Fatalf("the runs do not come to rest; time stands still while a handler runs:\n%s\n%s", k.atWork(), k.stories())
}

// settled reports whether nothing moves.
func (k *Kit) settled() bool {
	l := k.life
	k.mu.Lock()
	moved, head := k.moved, k.head
	now := k.clock.Now()
	var look []domain.RunID
	for _, run := range k.order {
		if w := k.wakes[run]; w.Busy || !w.Due.IsZero() && !w.Due.After(now) {
			look = append(look, run)
		}
	}
	k.mu.Unlock()
	if !l.delivered(head) {
		return false
	}
	for _, run := range look {
		if k.moves(run, now) {
			return false
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.moved == moved
}

// moves reports whether a run has something to do now.
func (k *Kit) moves(run domain.RunID, now time.Time) bool {
	s := k.state(run)
	if s == nil {
		return true
	}
	flying, unheld := 0, false
	s.InFlight(func(a machine.Attempt) {
		flying++
		k.mu.Lock()
		defer k.mu.Unlock()
		unheld = unheld || !k.held[attemptID{run, a.Step.Path, a.Direction, a.Number}]
	})
	if unheld {
		return true
	}
	if s.Paused || s.Blocked != "" {
		return false
	}
	if w := s.Wake(); !w.Due.IsZero() && !w.Due.After(now) {
		return true
	}
	if s.Owes() || flying == 0 && s.AtWork() {
		return true
	}
	// A child run moves by itself; once it has ended its parent has to hear of it.
	heard := true
	s.Children(func(st *machine.Step, back bool) {
		k.mu.Lock()
		w, known := k.wakes[st.Child]
		k.mu.Unlock()
		heard = heard && known && !w.State.Ended()
		if child := k.state(st.Child); back && child != nil { // and of what is wanted of it
			heard = heard && (child.Turning || child.Cancel != nil || child.PastPivot)
		}
	})
	return !heard
}

// state folds a run; nil if that is not possible.
func (k *Kit) state(run domain.RunID) *machine.State {
	s, err := saga.FoldAt(context.Background(), k.inner, run, saga.Latest)
	if err != nil {
		return nil
	}
	return s
}

// atWork says what moves, one line a run.
func (k *Kit) atWork() string {
	k.mu.Lock()
	order := append([]domain.RunID(nil), k.order...)
	k.mu.Unlock()
	var b strings.Builder
	for _, run := range order {
		if k.moves(run, k.clock.Now()) {
			why, err := k.life.c.Why(context.Background(), run)
			if err != nil {
				why.Text = err.Error()
			}
			fmt.Fprintf(&b, "  %s: %s\n", run, why.Text)
		}
	}
	if b.Len() == 0 {
		return "  domain events are on their way\n"
	}
	return b.String()
}
