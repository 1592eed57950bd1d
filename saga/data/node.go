package data

import (
	"encoding/json"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/definition"
)

// step is one step while it is compiled.
type step struct {
	members
	flow  *definition.Flow
	scope *scope
	opts  []definition.StepOption
	name  string // as the file has it, or empty
	// maybe means that the output may be absent: the run goes on without the step.
	maybe bool
}

// option adds an option to the step's node.
func (st *step) option(name string, set func(*definition.Conf)) {
	st.opts = append(st.opts, definition.StepOption{Name: name, Apply: func(conf *definition.Conf) error {
		set(conf)
		return nil
	}})
}

// named returns the name that the step has: its own, or the other one.
func (st *step) named(other string) string {
	if st.name != "" {
		return st.name
	}
	return other
}

// code writes the values of members into the plan.
func (st *step) code(members ...string) {
	code := map[string]json.RawMessage{}
	for _, name := range members {
		if n := st.node.Get(name); n != nil {
			code[name] = n.JSON()
		}
	}
	if len(code) == 0 {
		return
	}
	raw, err := json.Marshal(code)
	if err != nil {
		st.add(st.node.Pos, "%v", err)
	}
	st.option("code", func(conf *definition.Conf) { conf.Node.Code = raw })
}

// finish makes the step's output known to those that come after it.
func (st *step) finish(name string, t *expr.Type, src *definition.Source) {
	name = st.named(name)
	if !st.scope.addStep(name, t, !st.maybe, src) {
		st.add(st.node.Pos, "steps.%s is another step already: give this one a name of its own with name", celName(name))
	}
}

// placed is a node of the plan and where the file has it.
type placed struct {
	node *domain.Node
	at   source.Pos
}

// onFail reads what a step's failure leads to.
func (st *step) onFail() {
	n := st.get("onFail")
	if n == nil {
		return
	}
	rule := domain.Rule(n.Text)
	switch rule {
	case domain.RuleBackward, domain.RuleForward, domain.RuleAsk:
	case domain.RuleIgnore:
		st.maybe = true
	default:
		st.add(n.Pos, "onFail: use backward, forward, ask or ignore")
	}
	st.option("OnFail", func(conf *definition.Conf) { conf.Node.Rule, conf.Ruled = rule, true })
}
