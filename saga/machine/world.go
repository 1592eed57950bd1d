package machine

import (
	"time"

	"github.com/atonehq/atone/domain"
)

// Attempt is an attempt in flight, with everything that its worker needs.
type Attempt struct {
	Step      *Step
	Direction domain.Direction
	Number    int
	Due       time.Time
	// Cancelled means that its effect will be undone: it should stop.
	Cancelled bool
	// Node is the coordinator whose queue carries it.
	Node string
}

// InFlight calls f for every attempt without an outcome.
func (s *State) InFlight(f func(Attempt)) {
	for st := s.watch.head; st != nil; st = st.nxt {
		st.inFlight(f)
	}
}

// InFlightIn is [State.InFlight] for one item of an each.
func (s *State) InFlightIn(each string, item int, f func(Attempt)) {
	if st := s.steps[each]; st != nil && item >= 0 && item < len(st.kids) && st.kids[item] != nil {
		st.kids[item].walk(func(st *Step) { st.inFlight(f) })
	}
}

func (st *Step) inFlight(f func(Attempt)) {
	if st.Phase != Running && st.Phase != Undoing && st.Phase != Probing {
		return
	}
	dir := st.Direction()
	if t := st.Tries(dir); t.Running {
		f(Attempt{Step: st, Direction: dir, Number: t.N, Due: t.Due, Cancelled: st.Turning && dir == domain.Do, Node: t.Node})
	}
}

// Children calls f for every child run that must exist; back means that it must be undone.
func (s *State) Children(f func(st *Step, back bool)) {
	for st := s.watch.head; st != nil; st = st.nxt {
		if st.Node.Kind == domain.KindChild && (st.Phase == Waiting || st.Phase == Undoing) {
			f(st, st.Phase == Undoing)
		}
	}
}

// StuckSteps calls f for every step that needs a person.
func (s *State) StuckSteps(f func(*Step)) {
	for st := s.watch.head; st != nil; st = st.nxt {
		if st.Phase == Stuck || st.Phase == UndoStuck {
			f(st)
		}
	}
}

// Open calls f for every step that waits or owes something: first those that wait, each list in the
// order in which its steps joined it, and at the end the parked ones.
func (s *State) Open(f func(*Step)) {
	lists := append(make([]*list, 0, 2+2*len(s.waits.parked)), &s.watch, &s.todo)
	for _, p := range s.waits.parked {
		lists = append(lists, &p.backoff, &p.ready)
	}
	for _, l := range lists {
		for st := l.head; st != nil; st = st.nxt {
			f(st)
		}
	}
}
