package machine

import (
	"cmp"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine/internal/due"
)

// Duty is something that a state owes at once.
type Duty uint8

// The duties.
const (
	// Evaluate the step's expression with the definition's code and answer with the
	// intent for its kind: Evaluated, Chosen, Listed, Timed, Opened.
	Evaluate Duty = iota
	// Start the step's attempt with Begin.
	Start
	// Pass the pivot with Passed.
	Pass
	// Expand the answer of a plan node's planner with Planned.
	Expand
	// Conclude from the step's failure with Consequence.
	Conclude
	// End the run with Finish, after evaluating the return expression where the plan has one.
	End
	// TurnNow carries out the cancel that waited, with Proceed.
	TurnNow
)

// Todo calls f for everything that the state owes at the given time, in the order in which
// it came up, until f returns false. While the run is paused nothing is started. The state must
// not be changed by f before Todo returns.
func (s *State) Todo(now time.Time, f func(Duty, *Step) bool) {
	if s.Cancel != nil && s.canTurnBack() && !f(TurnNow, nil) {
		return
	}
	for st := s.todo.head; st != nil; st = st.nxt {
		d := st.duty()
		if s.Paused && d != Conclude && d != Expand || s.Cancel != nil && d == Pass {
			continue // a cancel waits for an irreversible attempt: a pivot would defeat it
		}
		if !f(d, st) {
			return
		}
	}
	if !s.Paused {
		for _, st := range due.By(now, &s.waits.retries) {
			if !f(Start, st) {
				return
			}
		}
	}
	if s.mayEnd() {
		f(End, nil)
	}
}

// mayEnd reports whether the run owes its end: its root is done or settled, and no undo is open.
// (An undo is open if an effect came after its step was undone; the parent has gone on.)
func (s *State) mayEnd() bool {
	return s.finish && s.End == "" && s.waits.undos == 0
}

func (st *Step) duty() Duty {
	switch st.Phase {
	case Failed, UndoFailed:
		return Conclude
	case ProbeDue, UndoDue:
		return Start
	}
	switch st.Node.Kind {
	case domain.KindPivot:
		return Pass
	case domain.KindPlan:
		return Expand
	case domain.KindDo:
		if st.Handler || len(st.Input) > 0 || st.given() != nil || st.plannerRound() > 1 {
			return Start
		}
	}
	return Evaluate
}

// Calls are those of one action: its undos, or all others.
type Calls struct {
	Action string
	Undo   bool
}

// Calls says what a step of an action calls next.
func (st *Step) Calls() Calls { return Calls{st.Node.Action.Name, st.UndoOpen()} }

// Park leaves a step that owes an attempt out of what [State.Todo] tells, because no such call can
// start now, until [State.Unpark] brings it back or it moves on. held means that none can before a
// person lets it: then the step is not at work. It is a hint that saves walking a long list of such
// steps: no part of the fold, and forgotten with the state.
func (s *State) Park(st *Step, held bool) {
	if st.Node.Action == nil || st.on != &s.todo && (st.on != &s.watch || !st.Phase.backsOff()) {
		return
	}
	p := s.parkedOf(st.Calls(), held)
	to := &p.ready
	if st.on == &s.watch {
		to = &p.backoff
	}
	st.on.remove(st)
	to.add(st)
	s.reschedule(st)
}

func (s *State) parkedOf(calls Calls, held bool) *parked {
	for _, p := range s.waits.parked {
		if p.calls == calls && p.ready.held == held {
			return p
		}
	}
	p := &parked{calls: calls, ready: list{held: held}, backoff: list{held: held}}
	s.waits.parked = append(s.waits.parked, p)
	return p
}

// Unpark brings back one parked step for each kind of calls, save for those that skip names: the
// one that was parked last.
func (s *State) Unpark(skip func(Calls) bool) {
	for _, p := range s.waits.parked {
		if st := cmp.Or(p.ready.tail, p.backoff.tail); st != nil && !skip(p.calls) {
			s.set(st, st.Phase)
		}
	}
}

// unparkAll brings back every parked step.
func (s *State) unparkAll() {
	for _, p := range s.waits.parked {
		for _, l := range [...]*list{&p.ready, &p.backoff} {
			for l.tail != nil {
				s.set(l.tail, l.tail.Phase)
			}
		}
	}
}

// parkedReady reports whether a step that owes something at once is parked.
func (s *State) parkedReady() bool {
	return slices.ContainsFunc(s.waits.parked, func(p *parked) bool { return p.ready.head != nil })
}

// parks reports whether a step is parked that is held, or one that is not.
func (s *State) parks(held bool) bool {
	return slices.ContainsFunc(s.waits.parked, func(p *parked) bool { return p.ready.held == held && (p.ready.head != nil || p.backoff.head != nil) })
}
