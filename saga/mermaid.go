package saga

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Mermaid returns a plan as a Mermaid flowchart. A compensatable step is marked ↩, an irreversible
// one ⚠, an accepted one ⚠ with its reason.
func Mermaid(plan *domain.Plan) string { return MermaidColoured(plan, nil) }

// MermaidColoured is [Mermaid] with the nodes coloured by state. states maps keys of nodes
// ([domain.Node.Key], so ship/*/label stands for all items) to the name of a phase, such as
// "running", "done" or "undo failed"; names that are unknown, or missing, stay plain.
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
	d.classes()
	return d.out.String()
}

// mermaidError draws what is wrong with a definition.
func mermaidError(err error) string {
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

// exit is where the next node's arrow comes from.
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

// node draws a node and what is below it, and returns where it is left.
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
			exits = append(exits, exit{id, elseLabel})
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
	return last >= 0 && (n.Cases[last] == otherwiseLabel || last == 1 && n.Cases[0] == thenLabel && n.Cases[1] == elseLabel)
}

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

// label says what a node does, in one or two lines.
func label(n *domain.Node) string {
	lines := []string{n.Name}
	more := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if a := n.Action; a != nil {
		switch {
		case a.Effect == domain.EffectUndo:
			lines[0] += " ↩"
		case a.Effect == domain.EffectIrreversible && n.Accepted != "":
			lines[0] += " ⚠ " + n.Accepted
		case a.Effect == domain.EffectIrreversible:
			lines[0] += " ⚠"
		}
		if a.Name != n.Name {
			more("%s", a.Name)
		}
	}
	switch n.Kind {
	case domain.KindEach:
		if n.Concurrency > 0 {
			more("each item, %d at once", n.Concurrency)
		} else {
			more("each item, all at once")
		}
		if n.Tolerate > 0 {
			more("%d may fail", n.Tolerate)
		}
	case domain.KindParallel:
		if n.Concurrency > 0 {
			more("%d at once", n.Concurrency)
		}
	case domain.KindAwait:
		what := "signal " + n.Await.Signal
		if n.Await.Event != "" {
			what = "event " + n.Await.Event
		}
		if n.Await.Timeout > 0 {
			what += " within " + time.Duration(n.Await.Timeout).String()
		}
		more("%s", what)
	case domain.KindChild:
		more("saga %s v%d", n.Saga, n.Version)
	case domain.KindPlan:
		more("planned at run time, %d rounds at most", n.MaxRounds)
	}
	if n.Rule != "" && n.Rule != domain.RuleBackward {
		more("on failure: %s", n.Rule)
	}
	return strings.Join(lines, "\n")
}

var entities = strings.NewReplacer("#", "#35;", `"`, "#34;", "<", "#60;", ">", "#62;", "\r", "", "\n", "<br/>")

// quoted writes text so that Mermaid shows it as it is.
func quoted(s string) string { return `"` + entities.Replace(s) + `"` }

// classOf groups the phases by colour.
var classOf = map[string]string{
	"ready": "active", "running": "active", "backoff": "active", "probe due": "active", "probing": "active", "active": "active",
	"waiting": "waiting",
	"done":    "done",
	"failed":  "failed", "ignored": "failed",
	"stuck": "stuck", "undo stuck": "stuck", "undo failed": "stuck",
	"undo due": "undoing", "undoing": "undoing", "undo backoff": "undoing",
	"undone": "undone", "untouched": "undone", "skipped": "undone",
	"left": "left",
}

var classStyles = [...][2]string{
	{"active", "fill:#dbeafe,stroke:#2563eb,color:#1e3a8a"},
	{"waiting", "fill:#f3e8ff,stroke:#9333ea,color:#581c87"},
	{"done", "fill:#dcfce7,stroke:#16a34a,color:#14532d"},
	{"failed", "fill:#ffedd5,stroke:#ea580c,color:#7c2d12"},
	{"stuck", "fill:#fee2e2,stroke:#dc2626,color:#7f1d1d,stroke-width:3px"},
	{"undoing", "fill:#fef9c3,stroke:#ca8a04,color:#713f12"},
	{"undone", "fill:#f3f4f6,stroke:#6b7280,color:#374151,stroke-dasharray:4"},
	{"left", "fill:#fee2e2,stroke:#6b7280,color:#7f1d1d,stroke-dasharray:4"},
}

// classes writes the colours that are used.
func (d *diagram) classes() {
	for _, c := range classStyles {
		if ids := d.used[c[0]]; len(ids) > 0 {
			d.line("classDef %s %s", c[0], c[1])
			d.line("class %s %s", strings.Join(ids, ","), c[0])
		}
	}
}
