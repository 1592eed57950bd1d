package definition

import (
	"cmp"
	"strconv"

	"github.com/atonehq/atone/domain"
)

// Flow collects the steps that a definition's function adds, in order.
type Flow struct {
	b   *Builder
	blk *block
}

// add appends a node to the flow's block. It always returns a step, so that the definition
// continues and all errors are found. name is the default name; if it is empty, the default is kind
// with a number.
func (f *Flow) add(node *domain.Node, name, kind string, opts []StepOption) (*step, Conf) {
	if f.b.done {
		panic("saga: a Flow is used after Define has returned")
	}
	conf, bad := configure(node, opts)
	blk := f.blk
	node.Name = cmp.Or(conf.Name, name)
	st := &step{node: node, blk: blk, index: blk.count, ruled: conf.Ruled}
	f.b.name(st, kind, conf.Name == "" && name == "")
	blk.count++
	blk.node.Children = append(blk.node.Children, node)
	f.b.steps[node] = st
	f.b.failAll(st.key, bad)
	switch {
	case !blk.open:
		f.b.fail(st.key, "its Flow is used after the function that got it has returned")
	case blk.inner:
		f.b.fail(st.key, "it is added to the enclosing function's Flow: use the inner function's own parameter")
	case blk.ret != nil:
		f.b.fail(st.key, "unreachable: it comes after Return")
	case blk.rejects:
		f.b.fail(st.key, "unreachable: it comes after Reject")
	}
	return st, conf
}

// addClosed appends a node of the builder's own to a block whose function has returned.
func (f *Flow) addClosed(kind domain.Kind, auto string) *step {
	f.blk.open = true
	st, _ := f.add(&domain.Node{Kind: kind}, "", auto, nil)
	f.blk.open = false
	return st
}

// name gives the step its name and key, and refuses one that is taken.
func (b *Builder) name(st *step, kind string, counted bool) {
	names, node := st.blk.names, st.node
	if counted {
		names.auto[kind]++
		node.Name = kind + "-" + strconv.Itoa(names.auto[kind])
	}
	st.key = names.prefix + node.Name
	switch why, taken := reserved[node.Name]; {
	case taken:
		b.fail(st.key, "the name %q is reserved: %s", node.Name, why)
	case !ValidName(node.Name):
		b.fail(st.key, "bad step name %q: %s", node.Name, BadName)
	case names.steps[node.Name] != nil:
		b.fail(st.key, "two steps are named %q: give one another name with saga.Name", node.Name)
		return
	}
	names.steps[node.Name] = st
}

// reserved names are taken by the machine.
var reserved = map[string]string{
	domain.PlannerStep: "it is the planner of a Plan's round",
	domain.HandlerStep: "it is a step's failure handler",
	ReturnKey:          "it is the run's output",
}

// expr records a step's code and notes it for the trial.
func (b *Builder) expr(st *step, c Code, what string) {
	if c.Try == nil {
		b.fail(st.key, "%s is nil", what)
		return
	}
	b.code[st.key] = c.Expression
	b.attempts = append(b.attempts, attempt{st, c.Try})
}

// shape notes the types of a step.
func (b *Builder) shape(st *step, s Shape) {
	if s.In != nil {
		b.uses(st.key, s.In)
	}
	if s.Out != nil {
		b.uses(st.key, s.Out)
	}
}
