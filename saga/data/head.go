package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/definition"
)

// head is what a file says of its saga besides the steps.
type head struct {
	saga, description string
	version           int
	deadline, slow    time.Duration
	onFailure         *definition.ActionUse
	input, output     definition.Payload
	inType, outType   *expr.Type
	key, labels       *source.Node
	steps, result     *source.Node
	triggers          *source.Node
}

// readHead reads the top of a file.
func (c *compiler) readHead(root *source.Node) {
	m := &members{book: c.book, node: root}
	h := &c.head
	h.saga, h.version = m.text("saga"), m.count("version", 1, 0, 0)
	if h.saga == "" && root.Get("saga") == nil {
		m.add(root.Pos, "saga is missing: its name")
	}
	if root.Get("version") == nil {
		m.add(root.Pos, "version is missing: 1 for a new saga, the next one for each change")
	}
	if level := m.text("language"); level != "" && level != expr.Level {
		m.add(root.Get("language").Pos, "language: %q is not known to this program, which reads %s", level, expr.Level)
	}
	h.description, h.deadline, h.slow = m.text("description"), m.duration("deadline"), m.duration("slow")
	if name := m.text("onFailure"); name != "" {
		use, known := c.library.actions[name]
		if !known {
			m.add(root.Get("onFailure").Pos, "onFailure: no action is called %q%s", name, expr.Meant(name, c.library.actionNames()))
		}
		h.onFailure = &use
	}
	h.input, h.inType = c.schema(m.get("input"), "input", "input", true)
	if n := m.get("output"); n != nil {
		h.output, h.outType = c.schema(n, "output", "output", true)
	}
	h.key, h.labels, h.steps, h.result, h.triggers = m.get("key"), m.get("labels"), m.get("steps"), m.get("return"), m.get("triggers")
	if h.steps == nil {
		m.add(root.Pos, "steps are missing")
	}
	if h.result == nil && h.outType != nil {
		m.add(root.Get("output").Pos, "output: there is no return that computes it")
	}
	m.done()
}

// schema reads a JSON Schema of a payload. None stands for any payload. strict refuses members that
// it does not name.
func (c *compiler) schema(n *source.Node, what, words string, strict bool) (definition.Payload, *expr.Type) {
	anything := definition.Payload{Name: "JSON", Check: func(json.RawMessage) error { return nil }, Schema: json.RawMessage(`{}`)}
	if n == nil {
		return anything, expr.Open.Called(words)
	}
	if n.Kind != source.Map {
		c.book.Add(n.Pos, "%s must be a JSON Schema", what)
		return anything, expr.Open.Called(words)
	}
	if strict {
		closeObjects(n)
	}
	raw := n.JSON()
	if err := expr.CheckSchema(raw); err != nil {
		c.book.Add(n.Pos, "%s: %v", what, err)
		return anything, expr.Open.Called(words)
	}
	check, err := validator(raw)
	if err != nil {
		c.book.Add(n.Pos, "%s is no JSON Schema: %v", what, err)
		return anything, expr.Open.Called(words)
	}
	typ := expr.TypeOf(raw, words)
	return definition.Payload{Name: typ.String(), Check: check, Schema: raw}, typ
}

// closeObjects refuses members that a schema's properties do not name, where it does not say what
// others may be: they are mistakes (ADR 12).
func closeObjects(n *source.Node) {
	if n.Kind == source.Map && n.Get("properties") != nil && n.Get("additionalProperties") == nil && n.Get("$ref") == nil {
		n.Keys = append(n.Keys, &source.Node{Kind: source.Text, Text: "additionalProperties"})
		n.Items = append(n.Items, &source.Node{Kind: source.Bool, Text: "false"})
	}
	for _, item := range n.Items {
		closeObjects(item)
	}
}

// offline refuses every schema that a schema refers to elsewhere.
type offline struct{}

// Load implements jsonschema.URLLoader.
func (offline) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s: no schema is loaded from elsewhere", url)
}

// validator returns the check of a schema.
func validator(raw json.RawMessage) (func(json.RawMessage) error, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(offline{})
	c.AssertFormat() // a format that is written there is meant
	if err := c.AddResource("schema.json", doc); err != nil {
		return nil, err
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	return func(payload json.RawMessage) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
		if err != nil {
			return err
		}
		if err := schema.Validate(value); err != nil {
			var bad *jsonschema.ValidationError
			if errors.As(err, &bad) {
				return errors.New(strings.Join(causes(bad, nil), "; "))
			}
			return err
		}
		return nil
	}, nil
}

// causes tells what is wrong, one sentence for each place.
func causes(e *jsonschema.ValidationError, told []string) []string {
	for _, c := range e.Causes {
		told = causes(c, told)
	}
	if len(e.Causes) == 0 && len(told) < 10 {
		text := e.Error()
		if _, after, ok := strings.Cut(text, "\n- "); ok {
			text = after
		}
		told = append(told, strings.Join(strings.Fields(text), " "))
	}
	return told
}
