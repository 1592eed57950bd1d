package draw

import (
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Graph is a plan laid out as a drawing. Lengths are in pixels.
type Graph struct {
	// Run is the run whose plan is drawn; empty for the plan of a saga. At is the revision that the
	// drawing shows; empty means now.
	Run   string
	At    string
	W, H  int
	Boxes []box
	Nodes []node
	Edges []edge
}

// box is the frame around the nodes of an each.
type box struct {
	X, Y, W, H   int
	Label, Class string
}

// node is a step of the plan.
type node struct {
	X, Y, W, H           int
	Title, Detail, Count string
	Class, Shape         string
	// Step is the path of the step that the node stands for, if there is just one.
	Step string
	Tip  string
	// Saga and Version are those of the child run that the node starts; Child is that run, where
	// there is just one.
	Saga    string
	Version int
	Child   string
}

// edge is an arrow between two nodes, as an SVG path.
type edge struct {
	D, Label string
	X, Y     int
	// Bare edges have no arrowhead, because another edge continues them.
	Bare bool
}

// Sizes of the drawing.
const (
	nodeW, nodeH = 184, 44
	gapX, gapY   = 22, 30
	boxPad       = 14
	boxHead      = 26
	graphMargin  = 8
	maxTitle     = 24
	bypassH      = 1
)

// block is a part of a plan that is laid out: its size, entry and exits, relative to its top left
// corner.
type block struct {
	w, h    int
	in      int // x of the entry, at the top
	outs    []exit
	shift   func(dx, dy int)
	content bool
}

type exit struct {
	x, y  int
	label string
}

// Linked reports whether something in the drawing can be followed.
func (g *Graph) Linked() bool {
	return g.Run != "" || slices.ContainsFunc(g.Nodes, func(n node) bool { return n.Saga != "" })
}

// Lead has the nodes of child runs lead to these, by the steps that started them.
func (g *Graph) Lead(children map[string]string) {
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.Saga != "" {
			n.Child = children[n.Step]
		}
	}
}

// Phases has, for each node of a plan, the paths of its steps by phase.
type Phases map[string]map[machine.Phase][]string

// PhasesOf groups the run's steps by the node of the plan that they are instances of.
func PhasesOf(s *machine.State) Phases {
	p := Phases{}
	s.Steps(func(st *machine.Step) {
		m := p[st.Node.Key]
		if m == nil {
			m = map[machine.Phase][]string{}
			p[st.Node.Key] = m
		}
		m[st.Phase] = append(m[st.Phase], st.Path)
	})
	return p
}

// Plan lays a plan out from top to bottom. The phases may be nil.
func Plan(plan *domain.Plan, p Phases) *Graph {
	g := &painter{graph: &Graph{}, phases: p}
	first := g.round("start", plan.Saga)
	body := g.sequence([]*domain.Node{plan.Root})
	last := g.round("end", "completed")
	all := g.stack([]*block{first, body, last})
	all.shift(graphMargin, graphMargin)
	g.graph.W, g.graph.H = all.w+2*graphMargin, all.h+2*graphMargin
	for _, e := range g.links {
		g.graph.Edges = append(g.graph.Edges, e())
	}
	return g.graph
}

// painter collects the drawing. It places nodes at 0,0 and shifts them when their surroundings are
// known.
type painter struct {
	graph  *Graph
	phases Phases
	links  []func() edge // called when all nodes are in place
}

// MidX is the middle of the node.
func (n node) MidX() int { return n.X + n.W/2 }
