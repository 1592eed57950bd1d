package draw

import (
	"fmt"
	"slices"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
)

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

// topOf returns the y coordinate at which a block begins.
func (g *painter) topOf(b *block) int { return b.outs[0].y - b.h }

// line is an arrow with a soft bend.
func line(x1, y1, x2, y2 int, label string) edge {
	e := edge{Label: format.Clip(label, maxTitle), X: x1 + 5, Y: y1 + 15}
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
			e.Label, e.X, e.Y = format.Clip(label, maxTitle), arm.in+6, g.topOf(arm)-5
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

// bypass is an arrow past the branches, for the case that none is taken.
func bypass() *block {
	b := &block{w: nodeW / 4, h: bypassH, in: nodeW / 8, outs: []exit{{x: nodeW / 8, y: bypassH}}, content: true}
	b.shift = b.moveOuts
	return b
}

// takesAll reports whether a switch always takes one of its branches, because it has a default.
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

// each draws a frame around the steps of one item.
func (g *painter) each(n *domain.Node) *block {
	i := len(g.graph.Boxes)
	g.graph.Boxes = append(g.graph.Boxes, box{Label: format.Clip(n.Name+" · each item"+width(n.Concurrency), 40), Class: g.classOf(n)})
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
