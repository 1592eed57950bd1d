package machine

import (
	"cmp"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// waits indexes the steps that wait, so that no question about them walks them all: what is due next, which
// awaits a signal or event meets, whether anything is in flight. It is derived from the steps' phases
// and kept by [State.set].
type waits struct {
	// timers holds what [Tick] decides on, retries what is owed once its time has come. parkedRetries are those of
	// them that are parked.
	timers, retries, parkedRetries timers
	// instants are the timers that are due at a time which somebody named: the ends of SleepUntil.
	instants timers
	// flying counts the steps with an attempt in flight, children the child runs that are to
	// exist, events the open awaits of domain events, undos the steps whose undo is owed and not done.
	flying, children, events, undos int
	// awaits are the open awaits by what they wait for, those opened first in front.
	awaits map[awaitKey][]*Step
	// irreversible are the steps whose irreversible effect may be about to happen, or may have happened.
	irreversible []*Step
	// parked are, by action, the steps that are left out of what is owed, see [State.Park].
	parked []*parked
	seq    uint64
}

// awaitKey is what an await waits for.
type awaitKey struct{ signal, event, correlation string }

// parked are the steps whose action has no slot free.
type parked struct {
	action         string
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
	if st.cantUndo() && !st.Handler && st.mayHappen() {
		f |= isIrreversible
	}
	if st.undoOpen() {
		f |= isUndo
	}
	return f
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

// reschedule puts a step where its time belongs. It is to be called when the time changes.
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
	if at.IsZero() {
		want = nil
	}
	if st.timer != nil {
		st.timer.remove(st)
	}
	if want != nil {
		s.waits.seq++
		st.until, st.timerSeq = at, s.waits.seq
		want.add(st)
	}
}

// waitsUntil returns when a waiting step next needs attention, zero for never.
func (st *Step) waitsUntil() time.Time {
	switch st.Phase {
	case Waiting:
		return st.Due
	case Backoff, UndoBackoff, ProbeBackoff:
		return st.tries(st.backoffDirection()).RetryAt
	case Running, Undoing, Probing:
		t := st.tries(st.inFlightDirection())
		at := t.BeatDue
		if due := t.Due.Add(Grace); !t.Due.IsZero() && (at.IsZero() || due.Before(at)) {
			at = due
		}
		return at
	}
	return time.Time{}
}

// Park leaves a step that owes an attempt out of what [State.Todo] tells, because its action has no slot free, until
// [State.Unpark] brings it back or it moves on. It is a hint that saves walking a long list of such steps:
// no part of the fold, and forgotten with the state.
func (s *State) Park(st *Step) {
	if st.Node.Action == nil || st.on != &s.todo && (st.on != &s.watch || !st.Phase.backsOff()) {
		return
	}
	p := s.parkedOf(st.Node.Action.Name)
	to := &p.ready
	if st.on == &s.watch {
		to = &p.backoff
	}
	st.on.remove(st)
	to.addFirst(st)
	s.reschedule(st)
}

func (s *State) parkedOf(action string) *parked {
	for _, p := range s.waits.parked {
		if p.action == action {
			return p
		}
	}
	p := &parked{action: action}
	s.waits.parked = append(s.waits.parked, p)
	return p
}

// Unpark brings back one parked step of each action, save of those that skip names: the one that was parked last.
func (s *State) Unpark(skip func(action string) bool) {
	for _, p := range s.waits.parked {
		if skip(p.action) {
			continue
		}
		if st := p.ready.head; st != nil {
			s.set(st, st.Phase)
		} else if st := p.backoff.head; st != nil {
			s.set(st, st.Phase)
		}
	}
}

// unparkAll brings back every parked step.
func (s *State) unparkAll() {
	for _, p := range s.waits.parked {
		for _, l := range [...]*list{&p.ready, &p.backoff} {
			for l.head != nil {
				s.set(l.head, l.head.Phase)
			}
		}
	}
}

// parkedReady reports whether a step that owes something at once is parked.
func (s *State) parkedReady() bool {
	return slices.ContainsFunc(s.waits.parked, func(p *parked) bool { return p.ready.head != nil })
}

// AtWork reports whether the run itself has something owed at once or an attempt in flight. One that is paused or
// blocked owes nothing; a child run under way is at work itself, or waits.
func (s *State) AtWork() bool {
	if s.waits.flying > 0 {
		return true
	}
	if s.Paused || s.Blocked != "" {
		return false
	}
	return s.todo.head != nil || s.parkedReady() || len(s.waits.parkedRetries) > 0 || s.finish && s.End == ""
}

// timers is a heap of steps by the time until which they wait.
type timers []*Step

func (h timers) less(i, j int) bool { return h[i].earlier(h[j]) < 0 }

func (st *Step) earlier(other *Step) int {
	if c := st.until.Compare(other.until); c != 0 {
		return c
	}
	return cmp.Compare(st.timerSeq, other.timerSeq)
}

func (h *timers) add(st *Step) {
	st.timer, st.timerAt = h, len(*h)
	*h = append(*h, st)
	h.up(st.timerAt)
}

func (h *timers) remove(st *Step) {
	i, last := st.timerAt, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	if i < last && !h.up(i) {
		h.down(i)
	}
	st.timer = nil
}

func (h timers) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].timerAt, h[j].timerAt = i, j
}

func (h timers) up(i int) (moved bool) {
	for i > 0 && h.less(i, (i-1)/2) {
		h.swap(i, (i-1)/2)
		i, moved = (i-1)/2, true
	}
	return moved
}

func (h timers) down(i int) {
	for {
		least := i
		for _, k := range [...]int{2*i + 1, 2*i + 2} {
			if k < len(h) && h.less(k, least) {
				least = k
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

// next returns the earliest time, zero for none.
func (h timers) next() time.Time {
	if len(h) == 0 {
		return time.Time{}
	}
	return h[0].until
}

// due returns the steps whose time has come, the earliest first, without a look at the others.
func (h timers) due(now time.Time) (due []*Step) {
	if len(h) == 0 || now.Before(h[0].until) {
		return nil
	}
	look := []int{0}
	for len(look) > 0 {
		i := look[len(look)-1]
		look = look[:len(look)-1]
		if i < len(h) && !now.Before(h[i].until) {
			due = append(due, h[i])
			look = append(look, 2*i+1, 2*i+2)
		}
	}
	slices.SortFunc(due, (*Step).earlier)
	return due
}
