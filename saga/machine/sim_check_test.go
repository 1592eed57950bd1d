package machine

import (
	"bytes"
	"strings"

	"github.com/atonehq/atone/domain"
)

// reload folds the run anew and holds the result equal to the state so far.
func (x *sim) reload() {
	anew := x.fold()
	if a, b := dump(x.s), dump(anew); a != b {
		x.t.Fatalf("folding the log gives another state\n%s", difference(a, b))
	}
	if a, b := x.owed(x.s), x.owed(anew); a != b {
		x.t.Fatalf("after a reload other work is owed\n%s", difference(a, b))
	}
	x.s = anew
	x.checkSnapshot()
}

// owed writes what a state owes the world.
func (x *sim) owed(s *State) string {
	d := &dumper{}
	d.line("wake %s status %s", asJSON(s.Wake()), s.Status())
	s.Todo(x.now, func(duty Duty, st *Step) bool { d.line("todo %d %s", duty, pathOf(st)); return true })
	s.InFlight(func(a Attempt) {
		d.line("flying %s %s %d %v %s", a.Step.Path, a.Direction, a.Number, a.Cancelled, a.Node)
	})
	s.Children(func(st *Step, back bool) { d.line("child %s %v", st.Path, back) })
	s.StuckSteps(func(st *Step) { d.line("stuck %s %s", st.Path, st.Incident) })
	return d.String()
}

// sameAfterReload decides once more on the folded log: the loser of a race decides as the winner.
func (x *sim) sameAfterReload(in Intent, events []domain.Event, err error) {
	again, err2 := Decide(x.fold(), in, x.now)
	if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
		x.t.Fatalf("Decide(%T) after a reload: %v, before: %v", in, err2, err)
	}
	if a, b := asJSON(events), asJSON(again); a != b {
		x.t.Fatalf("Decide(%T) decides otherwise after a reload\n%s", in, difference(a, b))
	}
}

// forward lists the events that take a step further forward.
func forward(e domain.Event) (step string) {
	switch e := e.(type) {
	case *domain.AttemptStarted:
		if e.Direction == domain.Do {
			return e.Step
		}
	case *domain.ChildStarted:
		return e.Step
	case *domain.TimerSet:
		return e.Step
	case *domain.TimerFired:
		return e.Step
	case *domain.AwaitOpened:
		return e.Step
	case *domain.AwaitMet:
		return e.Step
	case *domain.ValueComputed:
		return e.Step
	case *domain.BranchChosen:
		return e.Step
	case *domain.ItemsListed:
		return e.Step
	case *domain.StepsPlanned:
		return e.Step
	case *domain.PivotPassed:
		return e.Step
	}
	return ""
}

// checkEvent holds an event that was decided to the rules, before it is folded.
func (x *sim) checkEvent(e domain.Event) {
	bad := func(format string, args ...any) {
		x.t.Fatalf(format+": %s %s\n%s", append(args, e.WireName(), asJSON(e), dump(x.s))...)
	}
	if path := forward(e); path != "" {
		for st := x.s.Step(path); st != nil; st = st.parent {
			if st.Turning {
				bad("%s goes forward, but %s is being turned back", path, pathOf(st))
			}
		}
		if x.s.End != "" {
			bad("%s goes forward after the run's end", path)
		}
	}
	switch e := e.(type) {
	case *domain.RunTurnedBack:
		if x.s.PastPivot {
			bad("turned back past the pivot")
		}
	case *domain.AttemptStarted:
		if x.s.Paused {
			bad("started while paused")
		}
		st := x.s.Step(e.Step)
		if t := st.Tries(e.Direction); t.Running || e.Attempt != t.N+1 {
			bad("attempt %d, but %d were started, the last is running: %v", e.Attempt, t.N, t.Running)
		}
		if e.Direction == domain.Undo {
			x.checkUndoOrder(st, bad)
		}
	case *domain.SignalReceived:
		for _, f := range x.h.facts {
			if earlier, ok := f.Event.(*domain.SignalReceived); ok && earlier.ID == e.ID {
				bad("a signal counts twice")
			}
		}
	case *domain.ChildTurnedBack:
		x.checkUndoOrder(x.s.Step(e.Step), bad)
	case *domain.RunCompleted, *domain.RunCompensated, *domain.RunCancelled:
		if x.s.End != "" {
			bad("ended twice")
		}
	}
}

// checkUndoOrder requires that everything that came after the step was undone before it.
func (x *sim) checkUndoOrder(st *Step, bad func(string, ...any)) {
	if st.settledOnce {
		return // undone once more, after a late success
	}
	x.s.Steps(func(other *Step) {
		if !other.Handler && other != st && after(st, other) && !other.Phase.settled() && !other.settledOnce {
			bad("%s is undone before %s, which came after it", st.Path, other.Path)
		}
	})
}

// after reports whether other came causally after st: whether it stands later in a sequence, or
// a round, that both are in.
func after(st, other *Step) bool {
	index := map[*Step]int{}
	for k := st; k.parent != nil; k = k.parent {
		index[k.parent] = k.index
	}
	for k := other; k.parent != nil; k = k.parent {
		if i, common := index[k.parent]; common {
			kind := k.parent.Node.Kind
			return (kind == domain.KindSequence || kind == domain.KindPlan) && k.index > i
		}
	}
	return false
}

// checkEnd holds the end of the run against the effects that exist.
func (x *sim) checkEnd() {
	w := x.s.Wake()
	if w.Busy || !w.Due.IsZero() || !w.State.Ended() {
		x.t.Fatalf("the run ended, but its wake is %s\n%s", asJSON(w), dump(x.s))
	}
	switch x.s.End {
	case domain.RunIsCompleted:
		x.checkDone(x.s.root)
	case domain.RunIsCompensated, domain.RunIsCancelled:
		x.checkUndone(x.s.root)
	case domain.RunIsAbandoned:
		x.checkAbandoned()
	}
	x.reload()
}

// checkDone requires that everything below a step of a completed run was done.
func (x *sim) checkDone(st *Step) {
	switch {
	case st.Phase == Ignored && st.Node.Rule == domain.RuleIgnore, st.Phase == Skipped && x.w.vouched[st.Path]:
		return
	case st.Phase != Done || st.Turning:
		x.t.Fatalf("the run completed, but %s is %s\n%s", pathOf(st), st.Phase, dump(x.s))
	}
	failed := 0
	for _, k := range st.kids {
		if k == nil {
			x.t.Fatalf("the run completed, but a child of %s was never entered\n%s", pathOf(st), dump(x.s))
		}
		if k.Turning && st.Node.Kind == domain.KindEach {
			failed++
			x.checkUndone(k)
			continue
		}
		x.checkDone(k)
	}
	if st.Node.Kind == domain.KindSequence && len(st.kids) != len(st.Node.Children) {
		x.t.Fatalf("the run completed, but %s did %d of %d steps", pathOf(st), len(st.kids), len(st.Node.Children))
	}
	if failed > st.Node.Tolerate {
		x.t.Fatalf("%s completed with %d failed items, %d are tolerated", pathOf(st), failed, st.Node.Tolerate)
	}
	if lasts(st) && !x.w.effect[st.Path] && !x.w.vouched[st.Path] {
		x.t.Fatalf("%s is done, but its effect does not exist\n%s", st.Path, dump(x.s))
	}
}

// lasts reports whether a done step leaves an effect in the model's world.
func lasts(st *Step) bool {
	return st.Node.Kind == domain.KindDo && st.Node.Action.Effect != domain.EffectNone || st.Node.Kind == domain.KindChild
}

// checkUndone requires that no effect exists below a step that was turned back.
func (x *sim) checkUndone(st *Step) {
	if !st.Phase.settled() {
		x.t.Fatalf("%s was turned back but is %s\n%s", pathOf(st), st.Phase, dump(x.s))
	}
	left := strings.Contains("\x00"+strings.Join(x.s.Left, "\x00")+"\x00", "\x00"+st.Path+"\x00")
	if st.Phase == Left && st.Node.Accepted == "" && !x.w.vouched[st.Path] {
		x.t.Fatalf("%s was left behind without a person's word\n%s", st.Path, dump(x.s))
	}
	if st.ChildState == domain.RunIsAbandoned && x.w.effect[st.Path] && st.Phase != Left && st.Phase != Undone {
		x.t.Fatalf("%s was abandoned by a person, but its parent does not say that it is left\n%s", st.Path, dump(x.s))
	}
	if lasts(st) && x.w.effect[st.Path] && !x.w.excused[st.Path] && !(left && st.Node.Accepted != "") {
		x.t.Fatalf("%s was turned back, but its effect exists\n%s", st.Path, dump(x.s))
	}
	for _, k := range st.kids {
		if k != nil {
			x.checkUndone(k)
		}
	}
}

// checkAbandoned requires that an abandoned run lists the effects that exist.
func (x *sim) checkAbandoned() {
	left := map[string]bool{}
	for _, p := range x.s.Left {
		left[p] = true
	}
	x.s.Steps(func(st *Step) {
		if !st.Handler && lasts(st) && x.w.effect[st.Path] && !left[st.Path] && !x.w.excused[st.Path] && !st.settledOnce {
			x.t.Fatalf("abandoned with %s, which is not listed as left (%q)\n%s", st.Path, x.s.Left, dump(x.s))
		}
	})
}

// difference shows the lines in which two texts differ.
func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out []string
	for i := range max(len(as), len(bs)) {
		l, r := "", ""
		if i < len(as) {
			l = as[i]
		}
		if i < len(bs) {
			r = bs[i]
		}
		if l != r {
			out = append(out, "- "+l, "+ "+r)
		}
		if len(out) > 20 {
			break
		}
	}
	return strings.Join(out, "\n")
}

// checkSnapshot requires that a snapshot gives the state that it was taken of.
func (x *sim) checkSnapshot() {
	snap, err := Snapshot(x.s)
	if err != nil {
		x.t.Fatal(err)
	}
	restored, err := Restore(x.plan, x.h.run, snap)
	if err != nil {
		x.t.Fatal(err)
	}
	if a, b := dump(x.s), dump(restored); a != b {
		x.t.Fatalf("the snapshot gives another state\n%s", difference(a, b))
	}
}

// goOnWithACopy checks that the state of which the last copy was made is still as it was, and goes
// on with a copy of the state now.
func (x *sim) goOnWithACopy() {
	if x.draw(4, "copy") != 0 {
		return
	}
	if x.original != nil && dump(x.original) != x.dumped {
		x.t.Fatalf("what was folded into a copy shows in the original\n%s", difference(x.dumped, dump(x.original)))
	}
	x.original, x.dumped = x.s, dump(x.s)
	x.s = x.s.Clone()
	if got := dump(x.s); got != x.dumped {
		x.t.Fatalf("the copy differs\n%s", difference(x.dumped, got))
	}
	if a, b := x.s.Fingerprint(nil), x.original.Fingerprint(nil); !bytes.Equal(a, b) {
		x.t.Fatalf("the copy has another fingerprint")
	}
	if err := checkWaits(x.s); err != nil {
		x.t.Fatalf("after a copy: %v", err)
	}
}
