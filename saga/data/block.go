package data

import (
	"encoding/json"
	"regexp"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/definition"
)

// sequence compiles steps that stand together in the file; in the plan they are as any others.
func (c *compiler) sequence(st *step) {
	if n := st.node.Get("name"); n != nil {
		st.add(n.Pos, "a sequence has no name: only its steps have")
	}
	c.steps(st.flow, st.scope, st.get("sequence"), "sequence") // up: a sequence has steps
}

// concurrency reads how many branches or items are under way at once.
func (st *step) concurrency() {
	if n := st.count("concurrency", 1, 0, domain.Unlimited); n != 0 {
		st.option("Concurrency", func(conf *definition.Conf) { conf.Node.Concurrency = max(n, 0) })
	}
}

// parallel compiles branches that run at once. What comes after may read the outputs of all.
func (c *compiler) parallel(st *step) {
	st.concurrency()
	list := st.get("parallel")
	if list.Kind != source.List {
		st.add(list.Pos, "parallel must be a list of branches, each a list of steps, or one step")
		return
	}
	before := st.scope.inner()
	branches := make([]func(*definition.Flow), len(list.Items))
	for i, n := range list.Items {
		branches[i] = func(f *definition.Flow) {
			// A branch can't read its neighbours, but their names are taken.
			inner := before.inner()
			c.branch(f, inner, n)
			st.scope.adopt(before, inner, func(name string) {
				c.book.Add(n.Pos, "steps.%s is another step already: give one of the two another name", name)
			})
		}
	}
	st.flow.Parallel(st.opts, branches)
}

// branch compiles a branch: a list of steps, or one.
func (c *compiler) branch(f *definition.Flow, sc *scope, n *source.Node) {
	if n.Kind == source.Map {
		c.step(f, sc, n) // up: a branch has steps
		return
	}
	c.steps(f, sc, n, "a branch") // up: a branch has steps
}

var variable = regexp.MustCompile(`^[a-z][A-Za-z0-9_]{0,49}$`)

// each compiles steps that run for every item of a list.
func (c *compiler) each(st *step) {
	st.concurrency()
	if n := st.count("tolerate", 0, 0, 0); n > 0 {
		st.option("Tolerate", func(conf *definition.Conf) { conf.Node.Tolerate = n })
	}
	as := st.text("as")
	switch {
	case as == "":
		as = "item"
	case !variable.MatchString(as) || as == "input" || as == "steps" || as == "event":
		st.add(st.node.Get("as").Pos, "as: %q can't be a variable: use a small letter, then letters, digits and _", as)
	}
	items := st.scope.names.Compile(c.book, st.says+": each", st.get("each"), &expr.Type{Kind: expr.List, Elem: expr.Open})
	elem := expr.Open
	if items != nil && items.Type().Kind == expr.List {
		elem = items.Type().Elem
	}
	body, result := st.get("steps"), st.get("return")
	if body == nil {
		st.add(st.node.Pos, "each needs steps")
		return
	}
	st.code("each", "return")
	out := &expr.Type{Kind: expr.List, Elem: expr.Open}
	list := st.scope.bind(items, nil).code(func(b *bound) definition.Expression {
		return definition.Expression{Items: func(v definition.Scope) ([]json.RawMessage, error) { return b.value.Items(b.values(v)) }}
	})
	src := st.flow.Each(st.name, definition.Shape{}, list, func(f *definition.Flow, item *definition.Source) *definition.Source {
		inner := st.scope.withVar(as, elem.Called(as), item)
		c.steps(f, inner, body, "steps") // up: a list has steps for its items
		if result == nil {
			return nil
		}
		value := inner.names.Compile(c.book, st.says+": return", result, expr.Open)
		if value != nil {
			out.Elem = value.Type().Always()
		}
		return f.Return(rawType, inner.bind(value, nil).payload())
	}, result == nil, st.opts)
	if st.name != "" && result != nil {
		st.finish(st.name, out.Called("output of "+st.name), src)
	}
}

// branchIf compiles steps that run where a condition holds.
func (c *compiler) branchIf(st *step) {
	cond := st.scope.names.Compile(c.book, st.says+": if", st.get("if"), &expr.Type{Kind: expr.Boolean})
	then, otherwise := st.get("then"), st.get("else")
	if then == nil {
		st.add(st.node.Pos, "if needs then")
		return
	}
	st.code("if")
	b := st.scope.bind(cond, nil)
	steps := func(n *source.Node) func(*definition.Flow) {
		if n == nil {
			return nil
		}
		return func(f *definition.Flow) { c.branch(f, st.scope.inner(), n) }
	}
	if b == nil {
		b = &bound{value: new(expr.Value)}
	}
	st.flow.If(func(v definition.Scope) bool { return failing(b.value.Holds(b.values(v))) }, b.try, steps(then), steps(otherwise), st.opts)
}

// branchSwitch compiles the steps of which one branch runs, by a value.
func (c *compiler) branchSwitch(st *step) {
	value := st.scope.names.Compile(c.book, st.says+": switch", st.get("switch"), expr.Open)
	table, otherwise := st.get("cases"), st.get("otherwise")
	if table == nil || table.Kind != source.Map {
		st.add(st.node.Pos, "switch needs cases: a map from values to steps")
		return
	}
	if value != nil {
		switch k := value.Type().Kind; k {
		case expr.Any, expr.Text, expr.Integer, expr.Boolean:
		default:
			st.add(st.node.Get("switch").Pos, "switch: it is %v, not a text, an integer, or true or false", value.Type())
		}
	}
	st.code("switch")
	var cases []definition.Case
	for i, key := range table.Keys {
		n := table.Items[i]
		cases = append(cases, definition.Case{Value: key.Text, Run: func(f *definition.Flow) { c.branch(f, st.scope.inner(), n) }})
	}
	if otherwise != nil {
		cases = append(cases, definition.Case{Otherwise: true, Run: func(f *definition.Flow) { c.branch(f, st.scope.inner(), otherwise) }})
	}
	b := st.scope.bind(value, nil)
	if b == nil {
		b = &bound{value: new(expr.Value)}
	}
	st.flow.Switch(func(v definition.Scope) string { return failing(b.value.Letters(b.values(v))) }, b.try, cases, 0, st.opts)
}
