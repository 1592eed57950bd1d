package data

import (
	"errors"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/definition"
)

// kinds are the members that say what a step does, and how it is compiled.
func kinds() map[string]func(*compiler, *step) {
	return map[string]func(*compiler, *step){
		"action": (*compiler).action, "child": (*compiler).child,
		"parallel": (*compiler).parallel, "each": (*compiler).each, "if": (*compiler).branchIf, "switch": (*compiler).branchSwitch, "sequence": (*compiler).sequence,
		"sleep": (*compiler).sleep, "await": (*compiler).await, "compute": (*compiler).compute, "reject": (*compiler).reject, "pivot": (*compiler).pivot,
	}
}

// kindNames lists the kinds for people.
var kindNames = []string{"action", "child", "sequence", "parallel", "each", "if", "switch", "sleep", "await", "compute", "reject", "pivot"}

// steps compiles a list of steps into a block.
func (c *compiler) steps(f *definition.Flow, sc *scope, n *source.Node, what string) {
	if n == nil {
		return
	}
	if n.Kind != source.List || len(n.Items) == 0 {
		c.book.Add(n.Pos, "%s must be a list of steps", what)
		return
	}
	for _, item := range n.Items {
		c.step(f, sc, item)
	}
}

// maxSteps bounds the steps of a file.
const maxSteps = 1_000

// step compiles one step.
func (c *compiler) step(f *definition.Flow, sc *scope, n *source.Node) {
	if c.count++; c.count > maxSteps {
		c.book.Add(n.Pos, "the file has more than %d steps", maxSteps)
		return
	}
	if n.Kind != source.Map {
		c.book.Add(n.Pos, "a step must be a map with one of %s", strings.Join(kindNames, ", "))
		return
	}
	st := &step{members: members{book: c.book, node: n}, flow: f, scope: sc}
	var kind string
	for _, name := range kindNames {
		if n.Get(name) == nil {
			continue
		}
		if kind != "" {
			c.book.Add(n.Pos, "a step is either %s or %s, not both", kind, name)
			return
		}
		kind = name
	}
	if kind == "" {
		names := make([]string, len(n.Keys))
		for i, k := range n.Keys {
			names[i] = k.Text
		}
		c.book.Add(n.Pos, "a step needs one of %s; this one has %s", strings.Join(kindNames, ", "), strings.Join(names, ", "))
		return
	}
	st.name = st.text("name")
	title := kind
	if t := n.Get(kind); t.Kind == source.Text && (kind == "action" || kind == "child" || kind == "await") {
		title = t.Text
	}
	if st.name != "" {
		title = st.name
	}
	st.says = "step " + title
	if st.name != "" {
		st.option("Name", func(conf *definition.Conf) { conf.Name = st.name })
	}
	c.note(st)
	kinds()[kind](c, st)
	st.done()
}

// note keeps where the step stands, to tell of what the builder finds wrong with it.
func (c *compiler) note(st *step) {
	st.option("at", func(conf *definition.Conf) { c.places = append(c.places, placed{conf.Node, st.node.Pos}) })
}

// placeOf returns where the step with the key stands, or the nearest one around it.
func (c *compiler) placeOf(key string) source.Pos {
	best, at := -1, source.Pos{Line: 1, Col: 1}
	for _, p := range c.places {
		k := p.node.Key
		if (k == key || strings.HasPrefix(key, k+"/")) && len(k) > best {
			best, at = len(k), p.at
		}
	}
	return at
}

// tell notes an error of the builder where the step stands.
func (c *compiler) tell(err error) {
	told := c.lacks || !c.book.Empty()
	for _, e := range flat(err) {
		var bad *domain.DefinitionError
		if errors.As(e, &bad) {
			if told && followed(bad.Reason) {
				continue
			}
			at, says := c.placeOf(bad.Path), ""
			if bad.Path != "" {
				says = "step " + bad.Path + ": "
			}
			c.book.Add(at, "%s", says+inWords(bad.Reason))
			continue
		}
		c.book.Add(source.Pos{Line: 1, Col: 1}, "%v", e)
	}
}

// followed reports whether the builder finds something only because a step was left out, of which a
// problem was told.
func followed(reason string) bool {
	for _, text := range []string{"that no step made", "it has no steps", "is empty", "it has no branches"} {
		if strings.Contains(reason, text) {
			return true
		}
	}
	return false
}

// inWords turns what the builder says of Go into words of the language.
func inWords(reason string) string {
	return strings.NewReplacer("give it a Probe, set FailsCleanly if its work is one local transaction", "give it a probe", "AcceptIrreversible(reason)", "acceptIrreversible: REASON", "AcceptDoubt(reason)", "acceptDoubt: REASON",
		"make the step Forward", "give the step onFail: forward", " Forward", " onFail: forward", "with saga.Name", "with name").Replace(reason)
}

// flat returns the errors that an error joins.
func flat(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flat(e)...)
		}
		return all
	}
	return []error{err}
}
