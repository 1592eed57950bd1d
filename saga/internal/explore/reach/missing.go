package reach

import (
	"fmt"

	"github.com/atonehq/atone/domain"
)

// Missing lists what no run of the plans came to, in their order, each with the reason. first is
// the plan that needs no name.
func (m *Map) Missing(first *domain.Plan, plans ...*domain.Plan) (list []string) {
	for _, p := range plans {
		w := walk{m: m, plan: p}
		if p != first {
			w.prefix = p.Saga + ": "
		}
		w.node(p.Root, "")
		w.handlers(p.OnFailure, "no run failed")
		list = append(list, w.list...)
	}
	return list
}

// walk is a way through a plan.
type walk struct {
	m      *Map
	plan   *domain.Plan
	prefix string
	// last is the last node that runs came to, and pivot that one before was the point of no
	// return.
	last  *domain.Node
	pivot bool
	list  []string
}

func (w *walk) got(key string, what domain.Direction) bool {
	return w.m.got[place{w.plan.Saga, w.plan.Version, key, what}]
}

func (w *walk) never(what, why string) {
	w.list = append(w.list, fmt.Sprintf("%s%s was never reached: %s", w.prefix, what, why))
}

// node looks at a node and all below it. why is the reason where the node was not reached, empty
// for that of the node before it.
func (w *walk) node(n *domain.Node, why string) {
	came := n.Kind == domain.KindSequence || w.got(n.Key, entered)
	switch {
	case !came && n.Kind == domain.KindSwitch || !came && n.Kind == domain.KindParallel:
		// its branches are told
	case !came:
		w.never(w.what(n), w.orLast(why))
	case n.Kind != domain.KindSequence:
		w.last, why = n, ""
	}
	if came && n.Action != nil {
		w.directions(n)
	}
	w.pivot = w.pivot || n.Kind == domain.KindPivot
	for i, c := range n.Children {
		below := why
		switch {
		case !came:
		case n.Kind == domain.KindSwitch:
			below = fmt.Sprintf("no run took the branch %q of %s", n.Cases[i], n.Name)
		case n.Kind == domain.KindEach && w.got(n.Key, passed):
			below = n.Name + " never had an item"
		}
		w.node(c, below)
	}
}

// orLast returns the reason, or that no run got past the node before.
func (w *walk) orLast(why string) string {
	switch {
	case why != "":
		return why
	case w.last == nil:
		return "no run got so far"
	}
	return "no run got past " + w.last.Key
}

// what names what is to be reached at a node.
func (w *walk) what(n *domain.Node) string {
	if n.Kind == domain.KindDo {
		return n.Key + " " + string(domain.Do)
	}
	return n.Key
}

// directions looks at the undo, the probe and the failure handler of a step that was reached.
func (w *walk) directions(n *domain.Node) {
	switch {
	case n.Action.Effect != domain.EffectUndo || w.got(n.Key, domain.Undo):
	case w.pivot:
		w.never(n.Key+" undo", "it comes after the point of no return")
	default:
		w.never(n.Key+" undo", "no run turned back after it")
	}
	if n.Action.Probe && !w.got(n.Key, domain.Probe) {
		w.never(n.Key+" probe", "no attempt was in doubt")
	}
	w.handlers(n.Action.OnFailure, n.Key+" never failed for good")
}

func (w *walk) handlers(a *domain.ActionSpec, why string) {
	for ; a != nil; a = a.OnFailure {
		if !w.got(a.Name, domain.Handler) {
			w.never(a.Name+" handler", why)
		}
	}
}
