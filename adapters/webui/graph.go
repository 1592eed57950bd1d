package webui

// This file is long because the layout of every kind of node shares the same few coordinates.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// graph is a plan laid out as a drawing. Lengths are in pixels.
type graph struct {
	// Run is the run that the drawing is of, if it is of one.
	Run   string
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

// stack puts blocks under each other, entries and exits on one line, and links them.
func (g *painter) stack(blocks []*block) *block {
	kept := blocks[:0:0]
	for _, b := range blocks {
		if b.content {
			kept = append(kept, b)
		}
	}
	if len(kept) == 0 {
		return &block{shift: func(int, int) {}}
	}
	left, right := 0, 0
	for _, b := range kept {
		left = max(left, b.in)
		right = max(right, b.w-b.in)
	}
	all := &block{w: left + right, in: left, content: true}
	for i, b := range kept {
		if i > 0 {
			all.h += gapY
		}
		b.shift(left-b.in, all.h)
		all.h += b.h
		if i > 0 {
			g.link(kept[i-1], b)
		}
	}
	all.outs = append([]exit(nil), kept[len(kept)-1].outs...)
	all.shift = func(dx, dy int) {
		for _, b := range kept {
			b.shift(dx, dy)
		}
		all.moveOuts(dx, dy)
	}
	return all
}

// link draws the arrows from the exits of a block to the entry of the next one.
func (g *painter) link(from, to *block) {
	top := func() (x, y int) { return to.in, g.topOf(to) }
	for i := range from.outs {
		g.links = append(g.links, func() edge {
			o := from.outs[i]
			x, y := top()
			return line(o.x, o.y, x, y, o.label)
		})
	}
}

// topOf is where a block begins; it is known by its shift.
func (g *painter) topOf(b *block) int { return b.outs[0].y - b.h }

// line is an arrow with a soft bend.
func line(x1, y1, x2, y2 int, label string) edge {
	e := edge{Label: clip(label, maxTitle), X: x1 + 5, Y: y1 + 15}
	if x1 == x2 {
		e.D = fmt.Sprintf("M%d %dV%d", x1, y1, y2-2)
		return e
	}
	mid := y2 - gapY/2
	e.D = fmt.Sprintf("M%d %dV%dQ%d %d %d %dH%dQ%d %d %d %dV%d", x1, y1, mid-6, x1, mid, x1+6*sign(x2-x1), mid, x2-6*sign(x2-x1), x2, mid, x2, mid+6, y2-2)
	return e
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}

func (g *painter) sequence(nodes []*domain.Node) *block {
	var blocks []*block
	for _, n := range nodes {
		blocks = append(blocks, g.of(n))
	}
	return g.stack(blocks)
}

// of lays out a node with everything below it.
func (g *painter) of(n *domain.Node) *block {
	switch n.Kind {
	case domain.KindSequence:
		return g.sequence(n.Children)
	case domain.KindParallel, domain.KindSwitch:
		return g.fork(n)
	case domain.KindEach:
		return g.each(n)
	}
	return g.blockOf(g.add(n), nil)
}

// fork puts the branches of a parallel or switch side by side below it.
func (g *painter) fork(n *domain.Node) *block {
	head := g.blockOf(g.add(n), nil)
	var arms []*block
	passes := n.Kind == domain.KindSwitch && !takesAll(n)
	row, height := 0, 0
	join := func(arm *block, label string) {
		if row > 0 {
			row += gapX
		}
		arm.shift(row, head.h+gapY+8)
		row += arm.w
		height = max(height, arm.h)
		g.links = append(g.links, func() edge {
			e := line(head.outs[0].x, head.outs[0].y, arm.in, g.topOf(arm), "")
			e.Label, e.X, e.Y = clip(label, maxTitle), arm.in+6, g.topOf(arm)-5
			e.Bare = arm.h == bypassH
			return e
		})
		arms = append(arms, arm)
	}
	for i, c := range n.Children {
		arm := g.of(c)
		if !arm.content {
			arm = bypass()
		}
		label := ""
		if i < len(n.Cases) {
			label = n.Cases[i]
		}
		join(arm, label)
	}
	if passes {
		join(bypass(), "else")
	}
	if len(arms) == 0 {
		return head
	}
	w := max(row, head.w)
	for _, a := range arms {
		a.shift((w-row)/2, 0)
	}
	head.shift(w/2-head.in, 0)
	all := &block{w: w, h: head.h + gapY + 8 + height, in: w / 2, content: true}
	for _, a := range arms {
		for _, o := range a.outs {
			all.outs = append(all.outs, exit{x: o.x, y: all.h})
			g.links = append(g.links, tail(a, o.x-a.outs[0].x, all))
		}
	}
	all.shift = func(dx, dy int) {
		head.shift(dx, dy)
		for _, a := range arms {
			a.shift(dx, dy)
		}
		all.moveOuts(dx, dy)
	}
	return all
}

// bypass is a way past the branches, on which nothing is done.
func bypass() *block {
	b := &block{w: nodeW / 4, h: bypassH, in: nodeW / 8, outs: []exit{{x: nodeW / 8, y: bypassH}}, content: true}
	b.shift = b.moveOuts
	return b
}

// takesAll reports whether a switch always takes one of its branches: it has one for all other cases.
func takesAll(n *domain.Node) bool {
	return slices.Contains(n.Cases, "otherwise") || slices.Contains(n.Cases, "else")
}

// tail leads from the end of a short arm down to the end of the fork.
func tail(arm *block, dx int, fork *block) func() edge {
	return func() edge {
		o := arm.outs[0]
		if fork.outs[0].y <= o.y {
			return edge{}
		}
		return edge{D: fmt.Sprintf("M%d %dV%d", o.x+dx, o.y, fork.outs[0].y), Bare: true}
	}
}

// each draws a frame around what is done for one item.
func (g *painter) each(n *domain.Node) *block {
	i := len(g.graph.Boxes)
	g.graph.Boxes = append(g.graph.Boxes, box{Label: clip(n.Name+" · each item"+width(n.Concurrency), 40), Class: g.classOf(n)})
	body := g.sequence(n.Children)
	body.shift(boxPad, boxHead)
	w, h := max(body.w+2*boxPad, nodeW+2*boxPad), body.h+boxHead+boxPad
	if extra := w - body.w - 2*boxPad; extra > 0 {
		body.shift(extra/2, 0)
	}
	g.graph.Boxes[i].W, g.graph.Boxes[i].H = w, h
	b := &block{w: w, h: h, in: w / 2, outs: []exit{{x: w / 2, y: h}}, content: true}
	b.shift = func(dx, dy int) {
		g.graph.Boxes[i].X += dx
		g.graph.Boxes[i].Y += dy
		body.shift(dx, dy)
		b.moveOuts(dx, dy)
	}
	return b
}

func width(n int) string {
	if n > 0 {
		return fmt.Sprintf(", %d at once", n)
	}
	return ""
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
	machine.Backoff, machine.Probing, machine.ProbeDue, machine.Running, machine.Ready, machine.Waiting, machine.Active, machine.Left, machine.Undone, machine.Done,
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
