package data

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/definition"
)

// rawType is the type of payloads that schemas describe, and not Go.
var rawType = reflect.TypeFor[json.RawMessage]()

// sleep compiles a step that waits for a time.
func (c *compiler) sleep(st *step) {
	n := st.get("sleep")
	st.onFail()
	value := st.scope.names.Compile(c.book, st.says+": sleep", n, expr.Anything)
	if value != nil && value.Constant() {
		d, err := time.ParseDuration(n.Text)
		if n.Kind != source.Text || err != nil {
			st.add(n.Pos, "sleep must be a duration, such as 5m, or an expression that gives one, or a time")
			d = time.Second
		}
		st.flow.SleepFor(d, st.opts)
		return
	}
	st.code("sleep")
	st.flow.Sleep(st.scope.bind(value, nil).code(func(b *bound) definition.Expression {
		return definition.Expression{Rest: func(v definition.Scope) definition.Rest {
			span, until, err := b.value.Rest(b.values(v))
			return failing(definition.Rest{Span: span, Until: until}, err)
		}}
	}), st.opts)
}

// await compiles a step that waits for a signal or a domain event.
func (c *compiler) await(st *step) {
	n := st.get("await")
	signal, event := n.Text, ""
	var correlation *source.Node
	if n.Kind == source.Map {
		m := &members{book: c.book, node: n, says: st.says + ": await"}
		signal, event, correlation = m.text("signal"), m.text("event"), m.get("correlation")
		m.done()
	}
	switch {
	case n.Kind != source.Map && n.Kind != source.Text, (signal == "") == (event == ""):
		st.add(n.Pos, "await must be the name of a signal, or a map with either signal or event")
		return
	case event != "" && correlation == nil:
		st.add(n.Pos, "await: an event needs a correlation: the id that the event must have")
		return
	case event == "" && correlation != nil:
		st.add(correlation.Pos, "await: a signal has no correlation: it is sent to the run")
	}
	payload, typ := c.schema(st.get("payload"), "payload", "payload of "+signal+event, event == "")
	st.within(typ)
	st.onFail()
	st.code("await")
	var src *definition.Source
	if event == "" {
		src = st.flow.Await(signal, rawType, payload, st.opts)
	} else {
		value := st.scope.names.Compile(c.book, st.says+": await.correlation", correlation, &expr.Type{Kind: expr.Text})
		src = st.flow.AwaitEvent(event, rawType, st.scope.bind(value, nil).code(func(b *bound) definition.Expression {
			return definition.Expression{Correlation: func(v definition.Scope) string { return failing(b.value.Letters(b.values(v))) }}
		}), st.opts)
	}
	name := st.named(signal + event)
	st.finish(name, typ.Called("output of "+name), src)
}

// within reads how long an await waits, and what it takes where nothing came.
func (st *step) within(typ *expr.Type) {
	d, other := st.duration("within"), st.get("default")
	if d > 0 {
		st.option("Within", func(conf *definition.Conf) { conf.Node.Await.Timeout = domain.Duration(d) })
	}
	if other == nil {
		return
	}
	value := st.scope.names.Compile(st.book, st.says+": default", other, typ)
	if value != nil && !value.Constant() {
		st.add(other.Pos, "default: it can't have expressions")
	}
	st.option("DefaultTo", func(conf *definition.Conf) { conf.Node.Await.Default, conf.DefaultType = other.JSON(), rawType })
}

// compute compiles a step that computes a value once.
func (c *compiler) compute(st *step) {
	if st.name == "" {
		st.add(st.node.Pos, "compute needs a name, by which its value is read")
		return
	}
	st.onFail()
	value := st.scope.names.Compile(c.book, st.says+": compute", st.get("compute"), expr.Open)
	typ := expr.Open
	if value != nil {
		typ = value.Type().Called("value of " + st.name)
	}
	st.code("compute")
	src := st.flow.Compute(st.name, rawType, st.scope.bind(value, nil).payload(), st.opts)
	st.finish(st.name, typ, src)
}

// reject compiles a step that fails the run for good.
func (c *compiler) reject(st *step) {
	value := st.scope.names.Compile(c.book, st.says+": reject", st.get("reject"), &expr.Type{Kind: expr.Text})
	st.code("reject")
	st.flow.Reject(st.scope.bind(value, nil).code(func(b *bound) definition.Expression {
		return definition.Expression{Reject: func(v definition.Scope) string { return failing(b.value.Letters(b.values(v))) }}
	}), st.opts)
}

// pivot compiles the point of no return.
func (c *compiler) pivot(st *step) {
	if !st.yes("pivot") {
		st.add(st.node.Pos, "pivot: write pivot: true, or leave the step out")
	}
	st.flow.Pivot(st.opts)
}
