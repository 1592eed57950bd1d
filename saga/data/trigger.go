package data

import (
	"encoding/json"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/definition"
)

// rawTrigger starts a saga of a file.
type rawTrigger = saga.Trigger[json.RawMessage, json.RawMessage]

// trigger is a trigger as the file has it.
type trigger struct {
	event, stream string
	data          definition.Payload // of the event; nothing is known of it where it has no check
	when, in, key *expr.Value        // nil where the file has none
	labels        *expr.Value
	file          string // where it stands
}

// triggers reads which events start the saga.
func (c *compiler) triggers(n *source.Node) {
	if n == nil {
		return
	}
	if n.Kind != source.List {
		c.book.Add(n.Pos, "triggers must be a list of maps such as {event: order.placed}")
		return
	}
	for _, item := range n.Items {
		if item.Kind != source.Map {
			c.book.Add(item.Pos, "a trigger is a map such as {event: order.placed}")
			continue
		}
		c.trigger(item)
	}
}

func (c *compiler) trigger(n *source.Node) {
	m := &members{book: c.book, node: n, says: "trigger"}
	t := &trigger{event: m.text("event"), stream: m.text("stream"), file: fmt.Sprintf("%s:%d:%d", c.book.File, n.Line, n.Col)}
	switch err := accept.Name("its type", t.event, accept.MaxName); {
	case domain.ReservedType(t.event):
		m.add(n.Pos, "event %q is missing or reserved for atone's own events", t.event)
	case err != nil:
		m.add(n.Pos, "event: no app can emit it: %v", err)
	}
	var of *expr.Type
	t.data, of = c.schema(m.get("payload"), "trigger: payload", "event.data", false)
	text := &expr.Type{Kind: expr.Text}
	event := &expr.Type{Kind: expr.Object, Words: "event", Fields: []expr.Field{
		{Name: "id", Type: text, Required: true}, {Name: "type", Type: text, Required: true}, {Name: "stream", Type: text, Required: true},
		{Name: "correlation", Type: text}, {Name: "data", Type: of, Required: true}}}
	sc := c.env.NewScope().WithVar("event", event)
	compile := func(name string, want *expr.Type) *expr.Value {
		if value := m.get(name); value != nil {
			return sc.Compile(c.book, "trigger: "+name, value, want)
		}
		return nil
	}
	t.when, t.key = compile("when", &expr.Type{Kind: expr.Boolean}), compile("key", text)
	t.in = compile("input", c.head.inType)
	if labels := m.get("labels"); labels != nil && labels.Kind != source.Map {
		m.add(labels.Pos, "labels must be a map from names to values")
	}
	t.labels = compile("labels", &expr.Type{Kind: expr.Map, Elem: text})
	m.done()
	c.started = append(c.started, t)
}

// of makes the trigger of the saga.
func (t *trigger) of(s *Saga) saga.AnyTrigger {
	r := &rawTrigger{Type: t.event, StreamPrefix: t.stream, Saga: s}
	r.When = func(e saga.Event) bool {
		asked, err := t.ask(e)
		return asked.wanted || err != nil // Input tells of the error
	}
	r.Input = func(e saga.Event) (json.RawMessage, error) {
		asked, err := t.ask(e)
		return asked.input, err
	}
	if t.key != nil {
		r.Key = func(e saga.Event) string {
			asked, _ := t.ask(e) // Input told of the error
			return asked.key
		}
	}
	if t.labels != nil {
		r.Labels = func(e saga.Event) map[string]string {
			asked, _ := t.ask(e) // Input told of the error
			return asked.labels
		}
	}
	return r
}

// asked is what an event asks for.
type asked struct {
	wanted bool
	input  json.RawMessage
	key    string
	labels map[string]string
}

// ask computes what an event asks for.
func (t *trigger) ask(e saga.Event) (a asked, err error) {
	if err := fits(t.data)(e.Data); err != nil {
		return a, fmt.Errorf("%s: the event's payload: %w", t.file, err)
	}
	of := map[string]json.RawMessage{"id": source.Quoted(e.ID.String()), "type": source.Quoted(e.Type), "stream": source.Quoted(e.Stream), "data": e.Data}
	if e.CorrelationID != "" {
		of["correlation"] = source.Quoted(e.CorrelationID)
	}
	raw, err := json.Marshal(of)
	if err != nil {
		return a, err
	}
	values := vars(map[string]json.RawMessage{"event": raw})
	if t.when != nil {
		if a.wanted, err = t.when.Holds(values); err != nil || !a.wanted {
			return a, err
		}
	}
	a.wanted, a.input = true, e.Data
	if t.in != nil {
		if a.input, err = t.in.JSON(values); err != nil {
			return a, err
		}
	}
	if t.key != nil {
		if a.key, err = t.key.Letters(values); err != nil {
			return a, err
		}
	}
	if t.labels == nil {
		return a, nil
	}
	labels, err := t.labels.JSON(values)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(labels, &a.labels); err != nil {
		return a, fmt.Errorf("%s: labels must be texts: %w", t.file, err)
	}
	return a, nil
}
