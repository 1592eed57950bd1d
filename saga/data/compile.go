package data

import (
	"encoding/json"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/definition"
)

// compiler compiles one file.
type compiler struct {
	book    *source.Book
	library *library
	env     *expr.Env
	head    head
	places  []placed
	count   int
	out     *expr.Type
	started []*trigger
	// lacks means that a step was left out of which a problem was told in this file or another.
	lacks bool
}

// compile turns a file into a definition and its triggers, or returns nil where the book has a
// problem.
func compile(book *source.Book, l *library, root *source.Node) (*definition.Definition, []*trigger) {
	if root.Kind != source.Map {
		book.Add(root.Pos, "a saga is a map with saga, version and steps; this is %v", root.Kind)
		return nil, nil
	}
	env, err := expr.NewEnv()
	if err != nil {
		book.Add(source.Pos{}, "%v", err)
		return nil, nil
	}
	c := &compiler{book: book, library: l, env: env}
	c.readHead(root)
	types := definition.Types{In: rawType, Out: rawType, NoOutput: c.head.result == nil, Input: c.head.input}
	types.Output = definition.Payload{Name: "nothing", Check: func(json.RawMessage) error { return nil }, Schema: json.RawMessage(`{}`)}
	about := c.about()
	c.triggers(c.head.triggers)
	d, err := definition.Define(c.head.saga, max(c.head.version, 1), types, c.build, func(b *definition.Builder) { c.settings(b, root, about) })
	if err != nil {
		c.tell(err)
	}
	if !book.Empty() || err != nil {
		return nil, nil
	}
	if size, err := json.Marshal(d.Plan); err != nil || len(size) > domain.MaxAppendSize/2 {
		book.Add(source.Pos{}, "the saga's plan has %d bytes, at most %d can be stored: make sagas of its parts", len(size), domain.MaxAppendSize/2)
		return nil, nil
	}
	if c.head.result != nil {
		d.Output = c.outputs()
	}
	d.About = about
	return d, c.started
}

// top returns the scope in which only the input is known.
func (c *compiler) top(in *definition.Source) *scope {
	s := &scope{c.env.NewScope(), map[string]*definition.Source{}}
	return s.withVar("input", c.head.inType, in)
}

// build adds the steps.
func (c *compiler) build(f *definition.Flow, in *definition.Source) *definition.Source {
	sc := c.top(in)
	c.steps(f, sc, c.head.steps, "steps")
	if c.head.result == nil {
		return nil
	}
	want, check := expr.Open, c.head.output.Check
	if c.head.outType != nil {
		want = c.head.outType
	}
	value := sc.names.Compile(c.book, "return", c.head.result, want)
	if value != nil {
		c.out = value.Type().Called("output of " + c.head.saga)
	}
	return f.Return(rawType, sc.bind(value, check).payload())
}

// outputs describes what the saga returns: as its schema does, else as its return is computed.
func (c *compiler) outputs() definition.Payload {
	if c.head.outType != nil {
		return c.head.output
	}
	return definition.Payload{Name: c.out.String(), Check: func(json.RawMessage) error { return nil }, Schema: c.out.Schema()}
}

// settings sets what concerns the saga as a whole.
func (c *compiler) settings(b *definition.Builder, root *source.Node, about func(json.RawMessage) (definition.About, error)) {
	h := &c.head
	b.SetDescription(h.description)
	if h.deadline > 0 {
		b.SetDeadline(h.deadline)
	}
	if h.slow > 0 {
		b.SetSlow(h.slow)
	}
	if h.onFailure != nil && h.onFailure.Action != nil {
		b.SetOnFailure(*h.onFailure)
	}
	code := map[string]json.RawMessage{}
	for _, name := range []string{"return", "key", "labels"} {
		if n := root.Get(name); n != nil {
			code[name] = n.JSON()
		}
	}
	var raw json.RawMessage
	if len(code) > 0 {
		raw, _ = json.Marshal(code) // its parts are JSON
	}
	b.SetLanguage(expr.Level, raw)
	b.SetAbout(about)
	for _, t := range []*expr.Type{h.inType, h.outType} {
		if t != nil {
			b.AddSecret(t.Secrets()...)
			b.AddSearchable(t.Searched()...)
		}
	}
}

// about compiles the key and the labels, which are computed of the input alone.
func (c *compiler) about() func(json.RawMessage) (definition.About, error) {
	h := &c.head
	if h.key == nil && h.labels == nil {
		return nil
	}
	sc := c.top(nil)
	text := &expr.Type{Kind: expr.Text}
	var key *expr.Value
	if h.key != nil {
		key = sc.names.Compile(c.book, "key", h.key, text)
	}
	labels := map[string]*expr.Value{}
	if h.labels != nil {
		if h.labels.Kind != source.Map {
			c.book.Add(h.labels.Pos, "labels must be a map from names to values")
			return nil
		}
		for i, name := range h.labels.Keys {
			labels[name.Text] = sc.names.Compile(c.book, "labels."+name.Text, h.labels.Items[i], text)
		}
	}
	return func(input json.RawMessage) (about definition.About, err error) {
		values := &expr.Values{Read: func(string) (json.RawMessage, bool) { return input, true }}
		if key != nil {
			if about.Key, err = key.Letters(values); err != nil {
				return about, fmt.Errorf("key: %w", err)
			}
		}
		about.Labels = make(map[string]string, len(labels))
		for name, value := range labels {
			if about.Labels[name], err = value.Letters(values); err != nil {
				return about, fmt.Errorf("label %s: %w", name, err)
			}
		}
		return about, nil
	}
}
