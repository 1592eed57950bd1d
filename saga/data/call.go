package data

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/definition"
)

// nothing stands for an input that a file does not give.
func nothing(at source.Pos) *source.Node { return &source.Node{Kind: source.Map, Pos: at} }

// action compiles a step that runs an action.
func (c *compiler) action(st *step) {
	name := st.text("action")
	use, known := c.library.actions[name]
	switch {
	case !known && c.library.broken[name]:
		c.lacks = true
	case !known:
		st.add(st.node.Get("action").Pos, "no action is called %q%s", name, expr.Meant(name, c.library.actionNames()))
	}
	st.retry()
	if d := st.duration("timeout"); d > 0 {
		st.option("WithTimeout", func(conf *definition.Conf) { conf.Timeout = d })
	}
	for member, set := range map[string]func(*domain.Node, string){
		"acceptIrreversible": func(n *domain.Node, why string) { n.Accepted = why },
		"acceptDoubt":        func(n *domain.Node, why string) { n.Doubt = why },
	} {
		if n := st.get(member); n != nil {
			if n.Kind != source.Text || strings.TrimSpace(n.Text) == "" {
				st.add(n.Pos, "%s needs a reason: it is recorded, for people who ask why", member)
			}
			st.option(member, func(conf *definition.Conf) { set(conf.Node, n.Text) })
		}
	}
	st.onFail()
	if !known {
		c.unknownInput(st)
		st.finish(name, expr.Open, nil)
		return
	}
	input := c.payload(st, use.Action.Input, "input of "+name)
	st.code("input")
	src := st.flow.Do(st.named(name), use, definition.Shape{}, input, st.opts)
	st.finish(name, expr.TypeOf(use.Action.Output.Schema, "output of "+st.named(name)), src)
}

// unknownInput checks the expressions of an input that nobody knows the type of.
func (c *compiler) unknownInput(st *step) {
	if n := st.get("input"); n != nil {
		st.scope.names.Compile(c.book, st.says+": input", n, expr.Open)
	}
}

// payload compiles the input of a step, or what stands for it where there is none.
func (c *compiler) payload(st *step, p definition.Payload, words string) definition.Code {
	n := st.get("input")
	if n == nil {
		n = nothing(st.node.Pos)
	}
	value := st.scope.names.Compile(c.book, st.says+": input", n, expr.TypeOf(p.Schema, words))
	return st.scope.bind(value, fits(p)).payload()
}

// child compiles a step that runs another saga.
func (c *compiler) child(st *step) {
	name := st.text("child")
	version := st.count("version", 1, c.library.latest[name], 0)
	d := c.library.sagas[name][version]
	if d == nil {
		why := fmt.Sprintf("no saga is called %q%s", name, expr.Meant(name, c.library.sagaNames()))
		if c.library.latest[name] > 0 {
			why = fmt.Sprintf("saga %q has no version %d", name, version)
		}
		if name == c.head.saga {
			why = "a saga can't be its own child"
		}
		if !c.library.files[name] || name == c.head.saga {
			st.add(st.node.Get("child").Pos, "%s", why)
		}
		c.lacks = true
	}
	if st.yes("withoutLabels") {
		st.option("WithoutLabels", func(conf *definition.Conf) { conf.Node.Unlabelled = true })
	}
	st.onFail()
	if d == nil {
		c.unknownInput(st)
		st.finish(name, expr.Open, nil)
		return
	}
	input := c.payload(st, d.Input, "input of saga "+name)
	st.code("input")
	st.named(name)
	src := st.flow.Child(definition.ChildUse{Name: name, Version: version, Definition: d}, definition.Shape{}, input, st.opts)
	st.finish(name, expr.TypeOf(d.Output.Schema, "output of "+st.named(name)), src)
}

// retry reads how a step's action is tried again. What it does not say stays as the action has it.
func (st *step) retry() {
	r := st.members.retry("retry")
	if r == nil {
		return
	}
	st.option("WithRetry", func(conf *definition.Conf) {
		if conf.Node.Action == nil {
			return
		}
		p := conf.Node.Action.Retry
		set := func(to *domain.Duration, d time.Duration) {
			if d > 0 {
				*to = domain.Duration(d)
			}
		}
		set(&p.Initial, r.Initial)
		set(&p.Max, r.Max)
		set(&p.MaxElapsed, r.MaxElapsed)
		set(&p.TotalTimeout, r.TotalTimeout)
		p.Max = max(p.Max, p.Initial)
		if r.MaxAttempts != 0 {
			p.MaxAttempts = r.MaxAttempts
		}
		if r.Multiplier > 0 {
			p.Multiplier = r.Multiplier
		}
		if r.Jitter != "" {
			p.Jitter, p.Fraction = r.Jitter, r.Fraction
		}
		conf.Retry = &p
	})
}
