package definition

import (
	"fmt"
	"slices"

	"github.com/atonehq/atone/domain"
)

// reach is what the check knows of a run when it reaches a step.
type reach struct {
	// points are the steps that may have been done by then and after which nothing may fail
	// backward.
	points []*step
	// pivoted means that an explicit pivot was passed on every path.
	pivoted bool
	// ended means that the path ends here, with a Reject.
	ended bool
}

// checkOrder sets the default rules and checks that every path has the order compensatable* pivot?
// retriable* (docs/guarantees.md, rule 9): no step that fails backward comes after, or beside, a
// step that can't be undone.
func (b *Builder) checkOrder() {
	c := orderCheck{b: b, told: map[*step]bool{}}
	end := c.walk(b.plan.Root, reach{})
	if len(end.points) > 0 {
		b.noReturn = end.points[0].key
	}
}

type orderCheck struct {
	b    *Builder
	told map[*step]bool
}

// walk checks a node and its descendants, and returns the reach after it.
func (c *orderCheck) walk(n *domain.Node, in reach) reach {
	if n.Kind == domain.KindSequence {
		for _, k := range n.Children {
			in = c.walk(k, in)
		}
		return in
	}
	st := c.b.steps[n]
	c.rule(st, in)
	c.doubt(st)
	if len(in.points) > 0 && st.failsBackward() {
		c.tell(st, fmt.Sprintf("%s → %s: %s", in.points[0].key, st.key, in.points[0].why()), in.points[0])
	}
	switch n.Kind {
	case domain.KindParallel:
		return c.parallel(n, in)
	case domain.KindEach:
		return c.each(n, in)
	case domain.KindSwitch:
		out := reach{points: in.points, pivoted: st.exhaustive}
		for _, k := range n.Children {
			o := c.walk(k, in)
			if o.ended {
				continue
			}
			out.points = union(out.points, o.points)
			out.pivoted = out.pivoted && o.pivoted
		}
		out.pivoted = out.pivoted || in.pivoted
		return out
	case domain.KindPivot:
		in.pivoted = true
	case domain.KindCompute:
		in.ended = st.rejects
	case domain.KindPlan:
		if st.irreversible() && st.failsBackward() {
			c.tell(st, fmt.Sprintf("%s → %s: %s, and its planner is called again after each round", st.key, st.key, st.why()), st)
		}
	}
	if st.irreversible() {
		in.points = union(in.points, []*step{st})
	}
	return in
}

// rule fills in the default rule.
func (c *orderCheck) rule(st *step, in reach) {
	if st.node.Rule != "" {
		return
	}
	st.node.Rule = domain.RuleBackward
	if in.pivoted || len(in.points) > 0 && st.failsOnlyByBug() {
		st.node.Rule = domain.RuleForward
	}
}

// doubt refuses an irreversible step whose failure turns the run back although nothing can tell
// whether it took effect.
func (c *orderCheck) doubt(st *step) {
	n := st.node
	if n.Kind != domain.KindDo && n.Kind != domain.KindPlan || n.Rule != domain.RuleBackward || n.Accepted != "" || n.Doubt != "" ||
		n.Action.Effect != domain.EffectIrreversible || n.Action.Probe {
		return
	}
	if code := c.b.byName[n.Action.Name]; code == nil || code.FailsCleanly {
		return
	}
	c.b.fail(st.key, "%s is irreversible, its failure turns the run back, and nothing can tell whether it took effect: "+
		"give it a Probe, set FailsCleanly if its work is one local transaction, make the step Forward, "+
		"or accept with AcceptDoubt(reason) that the run may end stuck here", n.Action.Name)
}

func (c *orderCheck) parallel(n *domain.Node, in reach) reach {
	out := reach{points: in.points, pivoted: in.pivoted}
	own := make([][]*step, len(n.Children)) // the points of each branch
	for i, k := range n.Children {
		o := c.walk(k, in)
		out.points = union(out.points, o.points)
		out.pivoted = out.pivoted || o.pivoted
		for _, p := range o.points {
			if !slices.Contains(in.points, p) {
				own[i] = append(own[i], p)
			}
		}
	}
	for i, points := range own {
		for j, k := range n.Children {
			if i != j && len(points) > 0 {
				c.beside(points[0], k, fmt.Sprintf("which runs beside it in %s and may fail after it: %s", c.b.steps[n].key, points[0].why()))
			}
		}
	}
	return out
}

func (c *orderCheck) each(n *domain.Node, in reach) reach {
	out := reach{points: in.points, pivoted: in.pivoted}
	for _, k := range n.Children {
		o := c.walk(k, in)
		out.points = union(out.points, o.points)
		for _, p := range o.points {
			if !slices.Contains(in.points, p) {
				c.beside(p, k, fmt.Sprintf("which another item of %s may fail at after it: %s", c.b.steps[n].key, p.why()))
				break
			}
		}
	}
	return out
}

// beside reports every step of a subtree that may fail backward after a parallel branch has passed
// a point.
func (c *orderCheck) beside(point *step, n *domain.Node, text string) {
	n.Walk(func(k *domain.Node) {
		if st := c.b.steps[k]; st != nil && st.failsBackward() {
			c.tell(st, fmt.Sprintf("%s ∥ %s, %s", point.key, st.key, text), point)
		}
	})
}

// tell reports a step once.
func (c *orderCheck) tell(st *step, text string, point *step) {
	if c.told[st] {
		return
	}
	c.told[st] = true
	switch {
	case st.rejects:
		text += "; reject before " + point.key
	case st == point:
		text += fmt.Sprintf("; make %s Forward", st.key)
	default:
		text += fmt.Sprintf("; make %s Forward, move it before %s", st.key, point.key)
	}
	switch point.node.Kind {
	case domain.KindDo, domain.KindPlan:
		text += fmt.Sprintf(", give %s an Undo, or accept with AcceptIrreversible(reason) on %s that its effect may be left", point.effect(), point.key)
	case domain.KindChild:
		text += fmt.Sprintf(", or make %s of saga %s undoable", point.noReturn, point.node.Saga)
	}
	c.b.fail(st.key, "%s", text)
}

// irreversible reports whether nothing after the step may fail backward.
func (st *step) irreversible() bool {
	switch st.node.Kind {
	case domain.KindPivot:
		return true
	case domain.KindDo, domain.KindPlan:
		return st.effect() != "" && st.node.Accepted == ""
	case domain.KindChild:
		return st.noReturn != ""
	}
	return false
}

// why says why nothing after the step may fail backward.
func (st *step) why() string {
	switch st.node.Kind {
	case domain.KindPivot:
		return st.key + " is the point of no return"
	case domain.KindChild:
		return fmt.Sprintf("saga %s can't be undone after its step %s", st.node.Saga, st.noReturn)
	}
	return st.effect() + " is irreversible, and a failure would leave its effect behind"
}

// effect names the irreversible action that the step runs or may plan, or nothing.
func (st *step) effect() string {
	if st.node.Action.Effect == domain.EffectIrreversible {
		return st.node.Action.Name
	}
	return st.mayPlan
}

// failsOnlyByBug reports whether the step can fail only because its own function panics.
func (st *step) failsOnlyByBug() bool {
	switch st.node.Kind {
	case domain.KindDo, domain.KindChild, domain.KindPlan:
		return false
	case domain.KindAwait:
		return st.node.Await.Timeout == 0 || len(st.node.Await.Default) > 0
	}
	return true
}

// failsBackward reports whether the step may fail and turn the run back.
func (st *step) failsBackward() bool {
	switch st.node.Kind {
	case domain.KindParallel, domain.KindPivot:
		return false
	}
	return st.node.Rule == domain.RuleBackward && (st.ruled || !st.failsOnlyByBug())
}

func union(a, b []*step) []*step {
	out := slices.Clone(a)
	for _, st := range b {
		if !slices.Contains(out, st) {
			out = append(out, st)
		}
	}
	return out
}
