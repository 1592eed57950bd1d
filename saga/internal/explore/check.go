package explore

import (
	"fmt"
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/machine"
)

// Violation is an invariant that a schedule broke.
type Violation struct {
	Invariant, Text string
}

// checkCall checks, before a handler is called, that it may be.
func (x *scene) checkCall(fl *flight) {
	t, r := fl.task, fl.run
	st := r.s.Step(t.Step)
	for i := range x.ledger {
		e := &x.ledger[i]
		if e.run == r && e.step == t.Step && e.dir == domain.Do && t.Direction == domain.Do && e.key != t.Key {
			x.violate(&Violation{Invariant: "one key for all attempts", Text: fmt.Sprintf("%s had the key %s, and now has %s", fl.name, e.key, t.Key)})
		}
	}
	if t.Direction != domain.Undo {
		return
	}
	if !t.InDoubt && !x.ledger.stands(r, t.Step) && x.ledger.last(r, t.Step, domain.Do) < 0 && !x.ledger.mayStand(r, t.Step) && len(st.Output) > 0 && !substituted(r, t.Step) && !probed(r, t.Step) {
		x.violate(&Violation{Invariant: "only what happened is undone", Text: fmt.Sprintf("%s is undone as done, and its do never succeeded", t.Step)})
	}
	done := x.ledger.last(r, t.Step, domain.Do)
	if done < 0 || !r.s.Turning || fl.plain {
		return // an item that its list does without, or what comes late
	}
	r.s.Steps(func(after *machine.Step) {
		if after == st || !effectful(after) || after.Node.Action.Effect != domain.EffectUndo || !x.precedes(r, st, after) {
			return
		}
		if first := x.ledger.first(r, after.Path, domain.Do); first > done && x.ledger.stands(r, after.Path) && !excused(after) {
			x.violate(&Violation{Invariant: "undo in reverse order", Text: fmt.Sprintf("%s is undone while %s, which came after it, still stands", t.Step, after.Path)})
		}
	})
}

func substituted(r *run, step string) bool {
	return slices.ContainsFunc(r.facts, func(f domain.Fact) bool {
		e, ok := f.Event.(*domain.StepResolved)
		return ok && e.Step == step
	})
}

func probed(r *run, step string) bool {
	return slices.ContainsFunc(r.facts, func(f domain.Fact) bool {
		e, ok := f.Event.(*domain.StepProbed)
		return ok && e.Step == step && e.Verdict == domain.Applied
	})
}

// excused reports whether a step's effect is left by somebody's recorded word.
func excused(st *machine.Step) bool {
	return st.Phase == machine.Skipped || st.Phase == machine.Left || st.Phase == machine.Ignored
}

// precedes reports whether a comes before b in a sequence of the plan, in one item of each list
// around both.
func (x *scene) precedes(r *run, a, b *machine.Step) bool {
	above := x.shape(r.s.Plan).above
	chainA, chainB := ancestors(above, a.Node), ancestors(above, b.Node)
	if len(chainA) == 0 || len(chainB) == 0 || chainA[0] != chainB[0] {
		return false
	}
	depth, i := 0, 0
	for ; i < len(chainA) && i < len(chainB) && chainA[i] == chainB[i]; i++ {
		if k := chainA[i].Kind; k == domain.KindEach || k == domain.KindPlan {
			depth++
		}
	}
	common := chainA[i-1]
	if common.Kind != domain.KindSequence || i >= len(chainA) || i >= len(chainB) {
		return false
	}
	_, ia := a.Item()
	_, ib := b.Item()
	if len(ia) < depth || len(ib) < depth || !slices.Equal(ia[:depth], ib[:depth]) {
		return false
	}
	return slices.Index(common.Children, chainA[i]) < slices.Index(common.Children, chainB[i])
}

// shape is what a plan says of its nodes: the parent of each, and its place in the plan.
type shape struct {
	of    *domain.Plan
	above map[*domain.Node]*domain.Node
	rank  map[*domain.Node]int
}

// shape returns the shape of a plan; mostly it is that of the scene before.
func (x *scene) shape(p *domain.Plan) *shape {
	if x.cfg.shape != nil && x.cfg.shape.of == p {
		return x.cfg.shape
	}
	s := &shape{p, map[*domain.Node]*domain.Node{}, map[*domain.Node]int{}}
	p.Root.Walk(func(n *domain.Node) {
		s.rank[n] = len(s.rank)
		for _, c := range n.Children {
			s.above[c] = n
		}
	})
	x.cfg.shape = s
	return s
}

// ancestors returns the nodes from the root down to n; none where n is not of the plan.
func ancestors(above map[*domain.Node]*domain.Node, n *domain.Node) (chain []*domain.Node) {
	for at := n; at != nil; at = above[at] {
		chain = append(chain, at)
	}
	slices.Reverse(chain)
	return chain
}

// checkAlways checks the author's invariants that hold at each step.
func (x *scene) checkAlways() {
	for _, c := range x.sub.Checks {
		if c.When == Always {
			x.check(c)
		}
	}
}

func (x *scene) check(c Check) {
	x.cfg.reached.Check(c.Name)
	_, err := contained("", func() (struct{}, error) { return struct{}{}, c.Func() })
	if err != nil {
		x.violate(&Violation{Invariant: c.Name, Text: err.Error()})
	}
}

// checkEnd checks what holds when everything rests.
func (x *scene) checkEnd() {
	for _, r := range x.runs {
		x.checkRest(r)
		x.checkEffects(r)
	}
	ended, completed := true, true
	for _, r := range x.runs {
		if r.s.Start.Parent != nil {
			continue
		}
		ended = ended && r.s.End != ""
		completed = completed && r.s.End == domain.RunIsCompleted
	}
	if !ended {
		return
	}
	undone := !slices.ContainsFunc(x.runs, func(r *run) bool { return r.s.Start.Parent == nil && r.s.End == domain.RunIsCompleted })
	if byHand(x.runs) {
		return // a person's word stands for what was done, or is left
	}
	for _, c := range x.sub.Checks {
		if c.When == AtEachEnd || c.When == WhenCompleted && completed || c.When == WhenUndone && undone {
			x.check(c)
		}
	}
}

// byHand reports whether a person settled a step, or gave a run up.
func byHand(runs []*run) bool {
	return slices.ContainsFunc(runs, func(r *run) bool {
		return r.s.End == domain.RunIsAbandoned || slices.ContainsFunc(r.facts, func(f domain.Fact) bool { _, ok := f.Event.(*domain.StepResolved); return ok })
	})
}

// checkRest checks that a run which rests has ended, is stuck with a cause, or waits for something
// with a name.
func (x *scene) checkRest(r *run) {
	if r.s.End != "" {
		return
	}
	reason := explain.Why(r.s, x.now)
	switch {
	case r.s.Blocked != "":
		x.violate(&Violation{Invariant: "a run ends", Text: "it is blocked: " + r.s.Blocked})
	case r.s.Status() == domain.RunIsStuck:
		r.s.StuckSteps(func(st *machine.Step) {
			if st.Cause == nil {
				x.violate(&Violation{Invariant: "a stuck run has a cause", Text: st.Path + " is stuck without one"})
			} else if st.Phase == machine.UndoStuck && x.failsByItself(r, st) {
				x.violate(&Violation{Invariant: "an undo succeeds if the world lets it", Text: fmt.Sprintf("the undo of %s got stuck though nothing went wrong around it: %s: let an undo succeed if there is nothing to undo, or nothing left", st.Path, st.Cause.Message)})
			}
		})
	case len(reason.Waits) == 0:
		x.violate(&Violation{Invariant: "every wait has a cause", Text: "the run rests, and nobody can say why"})
	default:
		for _, w := range reason.Waits {
			x.unmet = append(x.unmet, r.label+w.Headline)
			if x.cfg.NoWaiting && w.WaitsFor != explain.ForChild {
				x.violate(&Violation{Invariant: "a run does not wait for ever", Text: w.Headline})
			}
		}
	}
}

// failsByItself reports whether a step's undo was called, failed, and got only the usual answers.
func (x *scene) failsByItself(r *run, st *machine.Step) bool {
	called := slices.ContainsFunc(x.ledger, func(e entry) bool { return e.run == r && e.step == st.Path && e.dir == domain.Undo && !e.happened })
	at := stickyAt(r.label + st.Path + " undo #")
	return called && !slices.ContainsFunc(x.trace, func(p passed) bool { return p.given != OK && stickyAt(p.at) == at })
}

// checkEffects checks that what was done and what was undone fit the run's end.
func (x *scene) checkEffects(r *run) {
	if r.s.End == "" || r.s.End == domain.RunIsAbandoned {
		return
	}
	r.s.Steps(func(st *machine.Step) {
		if !effectful(st) || excused(st) || slices.Contains(r.s.Left, st.Path) || substituted(r, st.Path) {
			return
		}
		undone := st.Phase == machine.Undone || st.Phase == machine.Untouched
		switch {
		case undone && x.ledger.stands(r, st.Path) && st.Node.Accepted == "":
			x.violate(&Violation{Invariant: "nothing is left behind", Text: fmt.Sprintf("the run is %s, and the effect of %s stands: no undo succeeded after it", r.s.End, st.Path)})
		case r.s.End != domain.RunIsCompleted && st.Phase == machine.Done && st.Node.Action.Effect == domain.EffectUndo:
			x.violate(&Violation{Invariant: "all or nothing", Text: fmt.Sprintf("the run is %s, and %s was not undone", r.s.End, st.Path)})
		case st.Phase == machine.Done && !x.ledger.mayStand(r, st.Path):
			x.violate(&Violation{Invariant: "completed means done", Text: fmt.Sprintf("%s counts as done, and no call of its do had an effect that stands", st.Path)})
		}
	})
}

func (x *scene) fingerprint() string {
	if x.sub.Fingerprint == nil {
		return ""
	}
	text, err := contained("Fingerprint", func() (string, error) { return x.sub.Fingerprint(), nil })
	if err != nil {
		x.violate(&Violation{Invariant: "the world has a fingerprint", Text: err.Error()})
	}
	return text
}

// contained calls a function of the author's, and has its panic be an error.
func contained[T any](what string, f func() (T, error)) (_ T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = contain.Panic(p)
			if what != "" {
				err = fmt.Errorf("%s %w", what, err)
			}
		}
	}()
	return f()
}
