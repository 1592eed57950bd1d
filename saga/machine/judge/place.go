package judge

import (
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
)

// place is where a path stands in the plan.
type place struct {
	node   *domain.Node
	action *domain.ActionSpec
	// handler marks the failure handler of a step, or of the run.
	handler bool
	// links lead from the root to the step: the nodes that it is in, and the number of the child
	// that leads to it. prefix is that of the paths in the scope of the node of a link.
	links []link
}

type link struct {
	in     *domain.Node
	path   string // of in; sequences have none
	prefix string
	child  int
}

// find returns the place of a path, nil if the plan has none.
func (r *Run) find(path string) *place {
	if p := r.places[path]; p != nil {
		return p
	}
	p := r.look(path)
	if p != nil {
		r.places[path] = p
	}
	return p
}

func (r *Run) look(path string) *place {
	scope, prefix := r.plan.Root, ""
	p := &place{}
	if path == domain.HandlerStep {
		return &place{node: r.plan.Root, action: r.plan.OnFailure, handler: true}
	}
	for segments := strings.Split(path, "/"); ; {
		node, links := under(scope, segments[0], prefix)
		if node == nil {
			return nil
		}
		p.links = append(p.links, links...)
		p.node, p.action = node, node.Action
		segments = segments[1:]
		if len(segments) == 0 {
			return p
		}
		if segments[0] == domain.HandlerStep && len(segments) == 1 && node.Action != nil {
			p.action, p.handler = node.Action.OnFailure, true
			return p
		}
		number, err := strconv.Atoi(segments[0])
		if err != nil || len(segments) < 2 {
			return nil
		}
		own := prefix + node.Name
		prefix = own + "/" + segments[0] + "/"
		segments = segments[1:]
		switch {
		case node.Kind == domain.KindEach && len(node.Children) == 1:
			p.links = append(p.links, link{node, own, prefix, number})
			scope = node.Children[0]
		case node.Kind == domain.KindPlan && segments[0] == domain.PlannerStep:
			p.links = append(p.links, link{node, own, prefix, 2*number - 2})
			scope = planner(node)
		case node.Kind == domain.KindPlan && number >= 1 && number <= len(r.rounds[own]):
			p.links = append(p.links, link{node, own, prefix, 2*number - 1})
			scope = r.rounds[own][number-1]
		default:
			return nil
		}
	}
}

// planner is the step of a plan node that returns the next steps.
func planner(n *domain.Node) *domain.Node {
	return &domain.Node{Name: domain.PlannerStep, Kind: domain.KindDo, Action: n.Action, Rule: n.Rule, Accepted: n.Accepted}
}

// under finds the node with the name below n, in the same scope, and the way to it.
func under(n *domain.Node, name, prefix string) (*domain.Node, []link) {
	if n.Name == name {
		return n, nil
	}
	if n.Kind == domain.KindEach || n.Kind == domain.KindPlan {
		return nil, nil
	}
	for i, c := range n.Children {
		if found, links := under(c, name, prefix); found != nil {
			own := ""
			if n.Name != "" {
				own = prefix + n.Name
			}
			return found, append([]link{{n, own, prefix, i}}, links...)
		}
	}
	return nil, nil
}

// complete reports whether a node has done what the plan wants of it.
func (r *Run) complete(n *domain.Node, prefix string) bool {
	var st *Step
	if n.Name != "" {
		if st = r.steps[prefix+n.Name]; st != nil && st.Forward != "" {
			return true
		}
	}
	switch n.Kind {
	case domain.KindSequence, domain.KindParallel:
		for _, c := range n.Children {
			if !r.complete(c, prefix) {
				return false
			}
		}
		return true
	case domain.KindSwitch:
		return st != nil && st.branch != nil && *st.branch >= 0 && *st.branch < len(n.Children) && r.complete(n.Children[*st.branch], prefix)
	case domain.KindEach:
		if st == nil || !st.listed {
			return false
		}
		for i := range st.items {
			if !r.lost[st.Path][i] && !r.complete(n.Children[0], st.Path+"/"+strconv.Itoa(i)+"/") {
				return false
			}
		}
		return true
	}
	return false
}

// back reports whether the step is being turned back: with the run, or with an item of an each.
func (r *Run) back(st *Step) bool {
	if st.place.handler {
		return false
	}
	if r.TurnedBack {
		return true
	}
	for _, l := range st.place.links {
		if l.in.Kind == domain.KindEach && r.lost[l.path][l.child] {
			return true
		}
	}
	return false
}

// after reports whether b came causally after a: it stands later in a sequence, or a later round,
// that both are in.
func after(a, b *Step) bool {
	for i, l := range a.place.links {
		if i >= len(b.place.links) {
			return false
		}
		m := b.place.links[i]
		if l.in != m.in || l.prefix != m.prefix && l.in.Kind != domain.KindEach && l.in.Kind != domain.KindPlan {
			return false
		}
		if l.child != m.child {
			return (l.in.Kind == domain.KindSequence || l.in.Kind == domain.KindPlan) && m.child > l.child
		}
	}
	return false
}

func roundPrefix(plan string, round int) string { return plan + "/" + strconv.Itoa(round) + "/" }

// hasSteps reports whether the step's work is that of steps in it.
func (p *place) hasSteps() bool {
	return !p.handler && (p.node.Kind == domain.KindPlan || len(p.node.Children) > 0)
}
