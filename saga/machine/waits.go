package machine

import (
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine/internal/due"
)

// waits indexes the steps that wait, so that no question walks them all: what is due next, which
// awaits a signal or event meets, whether anything is in flight. It is derived from the steps'
// phases; [State.set] keeps it.
type waits struct {
	// timers holds what [Tick] decides on, retries what is owed once its time has come.
	// parkedRetries are those of them that are parked.
	timers, retries, parkedRetries due.Heap[*Step]
	// instants are the timers that are due at a time which somebody named: the ends of SleepUntil.
	instants due.Heap[*Step]
	// flying counts the steps with an attempt in flight, children the child runs that are to exist,
	// events the open awaits of domain events, undos the steps whose undo is owed and not done.
	flying, children, events, undos int
	// awaits are the open awaits by what they wait for, those opened first in front.
	awaits map[awaitKey][]*Step
	// irreversible are the steps whose irreversible effect may be about to happen, or may have
	// happened.
	irreversible []*Step
	// parked are the steps that are left out of what is owed, see [State.Park].
	parked []*parked
	seq    uint64
}

// awaitKey is what an await waits for.
type awaitKey struct{ signal, event, correlation string }

// parked are the steps whose calls can't start now.
type parked struct {
	calls          Calls
	ready, backoff list
}

// waitFlags are the parts of the index that a step is counted in.
type waitFlags uint8

const (
	isFlying waitFlags = 1 << iota
	isChild
	isEvent
	isAwait
	isIrreversible
	isUndo
)

func (st *Step) waitFlags() (f waitFlags) {
	switch {
	case st.Node.Kind == domain.KindChild && (st.Phase == Waiting || st.Phase == Undoing):
		f |= isChild
	case st.Phase == Running, st.Phase == Undoing, st.Phase == Probing:
		f |= isFlying
	}
	if st.Node.Kind == domain.KindAwait && st.Phase == Waiting {
		f |= isAwait
		if st.Event != "" {
			f |= isEvent
		}
	}
	if st.CantUndo() && !st.Handler && st.mayHappen() {
		f |= isIrreversible
	}
	if st.UndoOpen() {
		f |= isUndo
	}
	return f
}

// set moves a step to a phase and to the list that the phase belongs on.
func (s *State) set(st *Step, p Phase) {
	if st.Phase == Stuck || st.Phase == UndoStuck {
		s.stuck--
		st.Incident = ""
	}
	st.Phase = p
	if p == Stuck || p == UndoStuck {
		s.stuck++
	}
	want := (*list)(nil)
	if p.owed() {
		want = &s.todo
	} else if p.waits() {
		want = &s.watch
	}
	if st.on != want {
		if st.on != nil {
			st.on.remove(st)
		}
		if want != nil {
			want.add(st)
		}
	}
	s.index(st)
}

// index brings the index up to date with a step's phase and times.
func (s *State) index(st *Step) {
	now, was := st.waitFlags(), st.flags
	st.flags = now
	count := func(n *int, flag waitFlags) {
		if now&flag != 0 && was&flag == 0 {
			*n++
		} else if now&flag == 0 && was&flag != 0 {
			*n--
		}
	}
	count(&s.waits.flying, isFlying)
	count(&s.waits.children, isChild)
	count(&s.waits.events, isEvent)
	count(&s.waits.undos, isUndo)
	if (now^was)&isAwait != 0 {
		s.indexAwait(st, now&isAwait != 0)
	}
	if (now^was)&isIrreversible != 0 {
		if now&isIrreversible != 0 {
			st.irreversibleAt = len(s.waits.irreversible)
			s.waits.irreversible = append(s.waits.irreversible, st)
		} else {
			last := s.waits.irreversible[len(s.waits.irreversible)-1]
			s.waits.irreversible[st.irreversibleAt], last.irreversibleAt = last, st.irreversibleAt
			s.waits.irreversible = s.waits.irreversible[:len(s.waits.irreversible)-1]
		}
	}
	s.reschedule(st)
}

func (s *State) indexAwait(st *Step, open bool) {
	if s.waits.awaits == nil {
		s.waits.awaits = make(map[awaitKey][]*Step)
	}
	if open {
		st.awaits = awaitKey{event: st.Event, correlation: st.Correlation}
		if st.Signal != "" {
			st.awaits = awaitKey{signal: st.Signal}
		}
		s.waits.awaits[st.awaits] = append(s.waits.awaits[st.awaits], st)
		return
	}
	all := s.waits.awaits[st.awaits]
	switch last := len(all) - 1; {
	case last == 0:
		delete(s.waits.awaits, st.awaits)
		return
	case all[0] == st:
		all[0] = nil
		all = all[1:]
	case all[last] == st:
		all = all[:last]
	default:
		all = slices.DeleteFunc(all, func(x *Step) bool { return x == st })
	}
	s.waits.awaits[st.awaits] = all
}

// reschedule puts a step where its time belongs. Call it when the time changes.
func (s *State) reschedule(st *Step) {
	at := st.waitsUntil()
	want := &s.waits.timers
	if st.Phase == Waiting && st.Instant {
		want = &s.waits.instants
	}
	if st.Phase.backsOff() {
		want = &s.waits.retries
		if st.on != &s.watch {
			want = &s.waits.parkedRetries
		}
	}
	if at.IsZero() || st.on != nil && st.on.held {
		want = nil
	}
	st.timer.Leave()
	if want != nil {
		s.waits.seq++
		st.timer.Join(want, st, at, s.waits.seq)
	}
}

// waitsUntil returns when a waiting step next needs attention, zero for never.
func (st *Step) waitsUntil() time.Time {
	switch st.Phase {
	case Waiting:
		return st.Due
	case Backoff, UndoBackoff, ProbeBackoff:
		return st.Tries(st.Direction()).RetryAt
	case Running, Undoing, Probing:
		t := st.Tries(st.Direction())
		at := t.BeatDue
		if due := t.Due.Add(Grace); !t.Due.IsZero() && (at.IsZero() || due.Before(at)) {
			at = due
		}
		return at
	}
	return time.Time{}
}
