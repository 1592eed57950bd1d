package webui

// This file is long because the layout of every kind of node shares the same few coordinates.

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// graph is a plan laid out as a drawing. Lengths are in pixels.
type graph struct {
	// Run is the run that the drawing is of, if it is of one, and At the moment of it that is not now.
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
	// Step is the path of the step that the node stands for, where there is just one.
	Step string
	Tip  string
}

// edge is an arrow between two nodes, as an SVG path.
type edge struct {
	D, Label string
	X, Y     int
	// Bare edges have no head: they go on as another one.
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

// block is a laid out part of a plan: its size, where it is entered and left, relative to its
// top left corner.
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

// phases tells the state of each node of a plan: how many of its steps are in which phase.
type phases map[string]map[machine.Phase][]string

// phasesOf groups the run's steps by the node of the plan that they are instances of.
func phasesOf(s *machine.State) phases {
	p := phases{}
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

// drawPlan lays a plan out from top to bottom. The phases may be nil.
func drawPlan(plan *domain.Plan, p phases) *graph {
	g := &painter{graph: &graph{}, phases: p}
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

// painter collects what is drawn. Nodes are placed at 0,0 and shifted when their surroundings are known.
type painter struct {
	graph  *graph
	phases phases
	links  []func() edge // made when everything stands
}

func (g *painter) round(class, title string) *block {
	g.graph.Nodes = append(g.graph.Nodes, node{W: nodeW - 40, H: 28, Title: clip(title, maxTitle), Class: "g-" + class, Shape: "round"})
	return g.blockOf(len(g.graph.Nodes)-1, nil)
}

// blockOf is the block of one node.
func (g *painter) blockOf(i int, outs []exit) *block {
	n := &g.graph.Nodes[i]
	b := &block{w: n.W, h: n.H, in: n.W / 2, content: true}
	if outs == nil {
		outs = []exit{{x: n.W / 2, y: n.H}}
	}
	b.outs = outs
	b.shift = func(dx, dy int) {
		g.graph.Nodes[i].X += dx
		g.graph.Nodes[i].Y += dy
		b.moveOuts(dx, dy)
	}
	return b
}

func (b *block) moveOuts(dx, dy int) {
	b.in += dx
	for i := range b.outs {
		b.outs[i].x += dx
		b.outs[i].y += dy
	}
}

// add draws the node itself and returns its index.
func (g *painter) add(n *domain.Node) int {
	d := node{W: nodeW, H: nodeH, Title: clip(n.Name, maxTitle), Shape: string(n.Kind), Class: g.classOf(n), Tip: n.Name}
	switch n.Kind {
	case domain.KindDo, domain.KindPlan:
		d.Detail = effects[n.Action.Effect]
		if n.Action.Name != n.Name {
			d.Detail = n.Action.Name + " " + sigil[n.Action.Effect]
		}
	case domain.KindParallel:
		d.Detail = "all of these" + width(n.Concurrency)
	case domain.KindSwitch:
		d.Detail = "one of these"
	case domain.KindSleep:
		d.Detail = "sleeps"
	case domain.KindAwait:
		d.Detail = "signal " + n.Await.Signal
		if n.Await.Event != "" {
			d.Detail = "event " + n.Await.Event
		}
		if n.Await.Timeout > 0 {
			d.Detail += ", " + took(time.Duration(n.Await.Timeout))
		}
	case domain.KindChild:
		d.Detail = fmt.Sprintf("saga %s v%d", n.Saga, n.Version)
	case domain.KindPivot:
		d.Detail = "point of no return"
	case domain.KindCompute:
		d.Detail = "computed value"
	}
	if n.Rule != "" && n.Rule != domain.RuleBackward {
		d.Detail += rules[n.Rule]
	}
	d.Tip += "\n" + d.Detail
	d.Detail = clip(d.Detail, 30)
	d.Count, d.Step = g.count(n)
	g.graph.Nodes = append(g.graph.Nodes, d)
	return len(g.graph.Nodes) - 1
}

// rules say what a step's failure leads to, where it isn't the undoing of the run.
var rules = map[domain.Rule]string{domain.RuleForward: " · must succeed", domain.RuleAsk: " · asks a person", domain.RuleIgnore: " · may fail"}

var (
	effects = map[domain.Effect]string{domain.EffectUndo: "↩ can be undone", domain.EffectNone: "no effect", domain.EffectIrreversible: "⚠ irreversible"}
	sigil   = map[domain.Effect]string{domain.EffectUndo: "↩", domain.EffectIrreversible: "⚠"}
)

// telling orders the phases by what a node that stands for many steps shows.
var telling = []machine.Phase{machine.UndoStuck, machine.Stuck, machine.UndoFailed, machine.Failed, machine.Undoing, machine.UndoBackoff, machine.UndoDue,
	machine.Backoff, machine.ProbeBackoff, machine.Probing, machine.ProbeDue, machine.Running, machine.Ready, machine.Waiting, machine.Active, machine.Left, machine.Undone, machine.Done,
	machine.Ignored, machine.Skipped, machine.Untouched}

func (g *painter) classOf(n *domain.Node) string {
	m := g.phases[n.Key]
	for _, p := range telling {
		if len(m[p]) > 0 {
			return tint(p)
		}
	}
	return "p-idle"
}

// count says how many of a node's steps are where, if there are several, or names the only one.
func (g *painter) count(n *domain.Node) (text, step string) {
	total := 0
	m := g.phases[n.Key]
	for _, paths := range m {
		total += len(paths)
		step = paths[0]
	}
	if total <= 1 {
		return "", step
	}
	var parts []string
	for _, p := range telling {
		if k := len(m[p]); k > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d %s", k, p))
		}
	}
	return strings.Join(parts, ", "), ""
}

// clip shortens a text to n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// MidX is the middle of the node.
func (n node) MidX() int { return n.X + n.W/2 }
