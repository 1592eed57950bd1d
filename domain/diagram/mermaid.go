package diagram

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Mermaid returns a plan as a Mermaid flowchart. A step with an undo is marked ↩, an irreversible
// one ⚠, followed by the reason where the author accepted it.
func Mermaid(plan *domain.Plan) string { return MermaidColoured(plan, nil) }

// MermaidColoured is [Mermaid] with the nodes coloured by state. states maps keys of nodes
// ([domain.Node.Key], so ship/*/label stands for all items) to the name of a phase, such as
// "running", "done" or "undo failed". A node whose name is unknown or missing stays plain.
func MermaidColoured(plan *domain.Plan, states map[string]string) string {
	d := &diagram{states: states, used: map[string][]string{}}
	d.line("flowchart TD")
	d.line(`start([%s])`, quoted(fmt.Sprintf("%s v%d", plan.Saga, plan.Version)))
	exits := []exit{{id: "start"}}
	if plan.Root != nil {
		exits = d.node(plan.Root, exits)
	}
	d.line(`finish([%s])`, quoted("completed"))
	d.join(exits, "finish")
	if plan.OnFailure != nil {
		d.line(`failure[%s]`, quoted(plan.OnFailure.Name))
		d.line(`start -.->|"when undone or abandoned"| failure`)
	}
	for _, line := range classLines(d.used) {
		d.line("%s", line)
	}
	return d.out.String()
}

// MermaidError draws the errors of a definition that has no plan, one box a line.
func MermaidError(err error) string {
	d := &diagram{}
	d.line("flowchart TD")
	for i, text := range strings.Split(err.Error(), "\n") {
		d.line("e%d[%s]", i+1, quoted(text))
	}
	return d.out.String()
}

// diagram is a flowchart being written.
type diagram struct {
	out    strings.Builder
	depth  int
	n      int
	states map[string]string
	used   map[string][]string // nodes by class
}

// exit is a place that the arrow to the next node starts from.
type exit struct{ id, label string }

func (d *diagram) line(format string, args ...any) {
	if d.out.Len() > 0 {
		d.out.WriteString(strings.Repeat("  ", d.depth+1))
	}
	fmt.Fprintf(&d.out, format+"\n", args...)
}

// join draws the arrows into a node.
func (d *diagram) join(from []exit, to string) {
	for _, e := range from {
		if e.label == "" {
			d.line("%s --> %s", e.id, to)
		} else {
			d.line("%s -->|%s| %s", e.id, quoted(e.label), to)
		}
	}
}

// node draws a node and what is below it, and returns where the arrows to the next node start.
func (d *diagram) node(n *domain.Node, from []exit) []exit {
	if n.Kind == domain.KindSequence {
		for _, k := range n.Children {
			from = d.node(k, from)
		}
		return from
	}
	d.n++
	id := "n" + strconv.Itoa(d.n)
	if class := classOf[d.states[n.Key]]; class != "" {
		d.used[class] = append(d.used[class], id)
	}
	if n.Kind == domain.KindEach {
		return d.each(n, id, from)
	}
	shape := shapes[n.Kind]
	d.line("%s%s%s%s", id, shape[0], quoted(label(n)), shape[1])
	d.join(from, id)
	if n.Action != nil && n.Action.OnFailure != nil {
		d.line("%sf[%s]", id, quoted(n.Action.OnFailure.Name))
		d.line(`%s -.->|"fails"| %sf`, id, id)
	}
	switch n.Kind {
	case domain.KindParallel:
		var exits []exit
		for _, k := range n.Children {
			exits = append(exits, d.node(k, []exit{{id: id}})...)
		}
		return exits
	case domain.KindSwitch:
		var exits []exit
		for i, k := range n.Children {
			exits = append(exits, d.node(k, []exit{{id, caseLabel(n, i)}})...)
		}
		if !takesAll(n) {
			exits = append(exits, exit{id, domain.CaseElse})
		}
		return exits
	}
	return []exit{{id: id}}
}

// each draws an each as a box around what is done for one item.
func (d *diagram) each(n *domain.Node, id string, from []exit) []exit {
	d.line("subgraph %s[%s]", id, quoted(label(n)))
	d.depth++
	d.line(`%si(("item"))`, id)
	for _, k := range n.Children {
		d.node(k, []exit{{id: id + "i"}})
	}
	d.depth--
	d.line("end")
	d.join(from, id)
	return []exit{{id: id}}
}

func caseLabel(n *domain.Node, i int) string {
	if i < len(n.Cases) {
		return n.Cases[i]
	}
	return ""
}

// takesAll reports whether a switch always takes one of its branches.
func takesAll(n *domain.Node) bool {
	last := len(n.Cases) - 1
	return last >= 0 && (n.Cases[last] == domain.CaseOtherwise || last == 1 && n.Cases[0] == domain.CaseThen && n.Cases[1] == domain.CaseElse)
}

// shapes are the brackets in which Mermaid draws each kind of node.
var shapes = map[domain.Kind][2]string{
	domain.KindDo:       {"[", "]"},
	domain.KindParallel: {`[/`, `\]`},
	domain.KindSwitch:   {"{", "}"},
	domain.KindSleep:    {"(", ")"},
	domain.KindAwait:    {">", "]"},
	domain.KindChild:    {"[[", "]]"},
	domain.KindPivot:    {"{{", "}}"},
	domain.KindPlan:     {`[\`, `/]`},
	domain.KindCompute:  {"(", ")"},
}
