package machine

import (
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"github.com/atonehq/atone/domain"
)

// open returns the attempts that a worker is still at.
func (x *sim) open() (tries []*try) {
	for _, a := range x.w.tries {
		if !a.reported && !a.dead {
			tries = append(tries, a)
		}
	}
	return tries
}

func (x *sim) childIDs() (ids []domain.RunID) {
	for id, c := range x.children {
		if c.state == domain.RunRunning || c.back && x.s.Step(c.step).Phase == Undoing || !x.calm {
			ids = append(ids, id)
		}
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i].String() < ids[j].String() })
	return ids
}

// disturb lets one thing happen that can happen to a run.
func (x *sim) disturb() {
	switch x.draw(16, "what happens") {
	default:
		if open := x.open(); len(open) > 0 {
			x.report(open[x.draw(len(open), "whose outcome")])
		}
	case 6, 7:
		if !x.advance() {
			x.now = x.now.Add(time.Second)
			x.tell(Tick{})
		}
	case 8:
		if ids := x.childIDs(); len(ids) > 0 {
			id := ids[x.draw(len(ids), "which child")]
			x.childMoves(id, x.children[id])
		}
	case 9:
		x.repeat()
	case 10:
		x.crash()
	case 11:
		x.reload()
	case 12:
		x.signals()
	case 13:
		x.peopleAct()
	case 14:
		if x.draw(3, "cancel") == 0 {
			x.tell(Cancel{Reason: "no more"})
		} else if x.draw(3, "parent") == 0 {
			x.tell(TurnBack{Cause: domain.Failure{Kind: domain.FailureParent, Message: "the parent run turned back"}})
		}
	case 15:
		if x.s.Paused {
			x.tell(Resume{Reason: "go on"})
		} else {
			x.tell(Pause{Reason: "wait"})
		}
	}
}

// repeat delivers an outcome, or a heartbeat, a second time, or out of turn.
func (x *sim) repeat() {
	var told []*try
	for _, a := range x.w.tries {
		if a.outcome != nil {
			told = append(told, a)
		}
	}
	if len(told) > 0 && x.coin("outcome again") {
		// An undo's success that was overtaken by the next attempt may settle the step when it
		// comes again.
		a := told[x.draw(len(told), "which")]
		if events := x.tell(*a.outcome); len(events) > 0 && !isTimeoutNoted(events) && a.dir != domain.Undo {
			x.t.Fatalf("the outcome of %s %s %d was told twice and recorded twice: %s", a.step, a.dir, a.n, asJSON(events))
		}
		return
	}
	if open := x.open(); len(open) > 0 {
		a := open[x.draw(len(open), "who beats")]
		x.tell(Beat{Step: a.step, Direction: a.dir, Attempt: a.n, Details: json.RawMessage(`{"at":1}`)})
	}
}

// isTimeoutNoted reports whether the events only note, as late, a timeout that a worker reported
// itself: for an attempt that it gave up, the machine can't tell a repeated report from the first.
func isTimeoutNoted(events []domain.Event) bool {
	late, ok := events[0].(*domain.OutcomeLate)
	return ok && len(events) == 1 && late.Cause != nil && late.Cause.Kind == domain.FailureTimedOut
}

func (x *sim) signals() {
	id := fmt.Sprint("signal ", x.draw(5, "id"))
	switch x.draw(3, "which signal") {
	case 0:
		x.tell(Signal{Name: "red", ID: id, Value: json.RawMessage(`"red"`)})
	case 1:
		x.tell(Signal{Name: "blue", ID: id, Value: json.RawMessage(`"blue"`)})
	default:
		x.tell(EventSeen{Type: "order.paid", Correlation: "42", ID: id, Value: json.RawMessage(`{}`)})
	}
}

// peopleAct settles what is stuck, one way or the other.
func (x *sim) peopleAct() {
	var stuck []*Step
	x.s.StuckSteps(func(st *Step) { stuck = append(stuck, st) })
	if len(stuck) == 0 {
		return
	}
	st := stuck[x.draw(len(stuck), "which is settled")]
	undo := st.Phase == UndoStuck
	x.retries[st.Path]++
	how := x.draw(5, "how")
	if x.calm {
		how = 0
		if x.retries[st.Path] > 3 || undo && st.Node.Action != nil && st.Node.Action.Effect == domain.EffectIrreversible {
			how = 1
			if x.abandon {
				how = 4
			}
		}
	}
	switch {
	case how == 4 && x.abandon:
		x.tell(Abandon{Reason: "hopeless"})
	case how == 1 || how == 2 && undo:
		x.w.excused[st.Path], x.w.vouched[st.Path] = true, true
		x.tell(Resolve{Step: st.Path, How: domain.ResolveSkip, Reason: "seen to"})
	case how == 2:
		x.w.vouched[st.Path] = true
		x.tell(Resolve{Step: st.Path, How: domain.ResolveSubstitute, Output: json.RawMessage(`"by hand"`), Reason: "did it"})
	default:
		x.tell(Retry{Step: st.Path, Reason: "again"})
	}
}

// finish lets everything go well from here on, until nothing more can come.
func (x *sim) finish() {
	x.calm = true
	x.settle()
	for range 3000 {
		open, children := x.open(), x.childIDs()
		stuck := false
		x.s.StuckSteps(func(*Step) { stuck = true })
		switch {
		case x.s.Paused && x.s.End == "" || x.s.heldUp():
			x.tell(Resume{})
		case len(open) > 0:
			x.report(open[0])
		case len(children) > 0:
			x.childMoves(children[0], x.children[children[0]])
		case stuck && (x.s.End == "" || x.s.End != domain.RunIsAbandoned):
			x.peopleAct()
		case x.advance():
		case x.s.End != "":
			return
		default:
			if !x.awaitsMet() {
				x.t.Fatalf("the run hangs: nothing is owed, nothing will come, and it has not ended\n%s", dump(x.s))
			}
		}
	}
	x.t.Fatalf("the run does not end\n%s", dump(x.s))
}

// awaitsMet sends whatever is awaited.
func (x *sim) awaitsMet() bool {
	var in Intent
	for st := x.s.watch.head; st != nil; st = st.nxt {
		switch {
		case st.Phase != Waiting || st.Node.Kind != domain.KindAwait:
		case st.Signal != "":
			in = Signal{Name: st.Signal, ID: fmt.Sprint("late ", len(x.h.facts)), Value: json.RawMessage(`1`)}
		default:
			in = EventSeen{Type: st.Event, Correlation: st.Correlation, ID: fmt.Sprint("event ", len(x.h.facts)), Value: json.RawMessage(`1`)}
		}
	}
	if in == nil {
		return false
	}
	x.tell(in)
	return true
}
