package engine

import (
	"errors"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// answerOwed answers what the state owes until nothing is left that can be answered now. It returns
// true if it stopped because the append is full.
func (t *turnState) answerOwed() (more bool) {
	a := t.a
	t.ctx = By{Actor: a.engine.cfg.Node}
	type owed struct {
		duty machine.Duty
		step *machine.Step
	}
	var list []owed
	for {
		list, t.blocked = list[:0], nil
		a.State.Unpark(t.isFull)
		a.State.Todo(t.now, func(d machine.Duty, st *machine.Step) bool {
			list = append(list, owed{d, st})
			return true
		})
		progress := false
		for _, o := range list {
			if t.size > turnBudget {
				return true
			}
			if st := o.step; st != nil && st.Node.Action != nil && t.isFull(st.Calls()) && (o.duty == machine.Start || o.duty == machine.Evaluate) {
				t.park(st)
				continue
			}
			before := len(t.events)
			t.answer(o.duty, o.step)
			if t.stale {
				return false
			}
			progress = progress || len(t.events) > before
		}
		if progress {
			continue
		}
		t.recordBlock()
		return false
	}
}

// recordBlock records why the run can't go on here, all reasons in one event. For a run that is
// blocked already it does so only if something happened to the run, or somebody asked. Otherwise
// nodes that lack different things, or code whose error text changes, would write for ever.
func (t *turnState) recordBlock() {
	a := t.a
	reasons := t.blocked
	a.State.Children(func(st *machine.Step, back bool) {
		if reason := a.unstartable[st.Path]; reason != "" && !back {
			reasons = append(reasons, reason)
		}
	})
	if len(reasons) == 0 || a.State.Blocked != "" && !t.asked && len(t.events) == 0 {
		return
	}
	slices.Sort(reasons)
	if err := t.decide(machine.Block{Reason: strings.Join(slices.Compact(reasons), "; ")}); err != nil {
		a.engine.cfg.Logger.Error("blocked run not recorded as such", "run", a.id, "error", err)
	}
}

// answer performs one duty.
func (t *turnState) answer(d machine.Duty, st *machine.Step) {
	a := t.a
	var err error
	switch d {
	case machine.Conclude:
		err = t.decide(machine.Consequence{Step: st.Path})
	case machine.TurnNow:
		err = t.decide(machine.Proceed{})
	case machine.Pass:
		err = t.decide(machine.Passed{Step: st.Path})
	case machine.Start:
		err = t.begin(st, func() (machine.Intent, error) {
			return machine.Begin{Step: st.Path, Node: a.engine.cfg.Incarnation}, nil
		})
	case machine.End:
		err = t.end()
	case machine.Evaluate, machine.Expand:
		err = t.evaluate(d, st)
	}
	if noEnd := (*domain.NoEndError)(nil); errors.As(err, &noEnd) {
		err = t.block(noEnd.Reason)
	}
	if err != nil && !errors.Is(err, machine.ErrStale) && !errors.Is(err, errStale) {
		a.engine.cfg.Logger.Error("run can't go on: this is a defect", "run", a.id, "duty", d, "error", err)
	}
}

// recoverRun marks attempts that died with another coordinator as lost, and looks after the child
// runs.
func (t *turnState) recoverRun(heard bool) {
	a := t.a
	var lost []machine.Lost
	a.State.InFlight(func(f machine.Attempt) {
		if f.Node != a.engine.cfg.Incarnation && !a.engine.cfg.Alive(f.Node) {
			lost = append(lost, machine.Lost{Step: f.Step.Path, Direction: f.Direction, Attempt: f.Number,
				Reason: "its worker was gone when the run was taken up"})
		}
	})
	for _, l := range lost {
		if err := t.decide(l); err != nil && !errors.Is(err, machine.ErrStale) {
			a.engine.cfg.Logger.Error("lost attempt not recorded", "run", a.id, "step", l.Step, "error", err)
		}
	}
	a.State.Children(func(st *machine.Step, back bool) {
		if back {
			a.engine.children.turnBack(a.childOf(st.Path), domain.Failure{Message: "the parent run turned back"})
		} else {
			ch := a.childOf(st.Path)
			ch.heard = heard
			a.engine.children.begin(ch)
		}
	})
	if a.State.End != "" {
		a.engine.children.ended(a)
	}
}
