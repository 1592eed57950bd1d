package draw

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// round adds the beginning or the end of the plan.
func (g *painter) round(class, title string) *block {
	g.graph.Nodes = append(g.graph.Nodes, node{W: nodeW - 40, H: 28, Title: format.Clip(title, maxTitle), Class: "g-" + class, Shape: "round"})
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

// moveOuts moves the entry and the exits of the block.
func (b *block) moveOuts(dx, dy int) {
	b.in += dx
	for i := range b.outs {
		b.outs[i].x += dx
		b.outs[i].y += dy
	}
}

// add draws the node itself and returns its index.
func (g *painter) add(n *domain.Node) int {
	d := node{W: nodeW, H: nodeH, Title: format.Clip(n.Name, maxTitle), Shape: string(n.Kind), Class: g.classOf(n), Tip: n.Name}
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
			d.Detail += ", " + format.Took(time.Duration(n.Await.Timeout))
		}
	case domain.KindChild:
		d.Detail = fmt.Sprintf("saga %s v%d", n.Saga, n.Version)
		d.Saga, d.Version = n.Saga, n.Version
	case domain.KindPivot:
		d.Detail = "point of no return"
	case domain.KindCompute:
		d.Detail = "computed value"
	}
	if n.Rule != "" && n.Rule != domain.RuleBackward {
		d.Detail += rules[n.Rule]
	}
	d.Tip += "\n" + d.Detail
	d.Detail = format.Clip(d.Detail, 30)
	d.Count, d.Step = g.count(n)
	g.graph.Nodes = append(g.graph.Nodes, d)
	return len(g.graph.Nodes) - 1
}

// rules say what the failure of a step leads to, if not to undoing the run.
var rules = map[domain.Rule]string{domain.RuleForward: " · must succeed", domain.RuleAsk: " · asks a person", domain.RuleIgnore: " · may fail"}

var (
	effects = map[domain.Effect]string{domain.EffectUndo: "↩ can be undone", domain.EffectNone: "no effect", domain.EffectIrreversible: "⚠ irreversible"}
	sigil   = map[domain.Effect]string{domain.EffectUndo: "↩", domain.EffectIrreversible: "⚠"}
)

// telling orders the phases by importance: a node that stands for many steps shows the first that
// one of them is in.
var telling = []machine.Phase{machine.UndoStuck, machine.Stuck, machine.UndoFailed, machine.Failed, machine.Undoing, machine.UndoBackoff, machine.UndoDue,
	machine.Backoff, machine.ProbeBackoff, machine.Probing, machine.ProbeDue, machine.Running, machine.Ready, machine.Waiting, machine.Active, machine.Left, machine.Undone, machine.Done,
	machine.Ignored, machine.Skipped, machine.Untouched}

// classOf returns the class, and so the colour, of a node's most important phase.
func (g *painter) classOf(n *domain.Node) string {
	m := g.phases[n.Key]
	for _, p := range telling {
		if len(m[p]) > 0 {
			return format.Tint(p)
		}
	}
	return "p-idle"
}

// count counts a node's steps by phase or, if there is only one, returns its path.
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

// width says how many branches or items go on at once.
func width(n int) string {
	if n > 0 {
		return fmt.Sprintf(", %d at once", n)
	}
	return ""
}
