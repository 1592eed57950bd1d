package data

import (
	"encoding/json"
	"strings"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/bridge"
	"github.com/atonehq/atone/saga/internal/definition"
)

// rawAction is an action of a file before its types are described.
type rawAction = saga.Action[json.RawMessage, json.RawMessage]

// isAction reports whether a file has an action, and not a saga.
func isAction(root *source.Node) bool { return root.Get("saga") == nil && root.Get("action") != nil }

// readAction makes an action of a file, or returns nil where the book has a problem.
func readAction(book *source.Book, caller Caller, root *source.Node) saga.AnyAction {
	env, err := expr.NewEnv()
	if err != nil {
		book.Add(source.Pos{}, "%v", err)
		return nil
	}
	if caller == nil {
		book.Add(root.Pos, "this program makes no calls: actions that are files need Uses.Calls")
		return nil
	}
	c := &compiler{book: book, env: env}
	m := &members{book: book, node: root}
	a := &rawAction{Name: m.text("action"), Description: m.text("description"), Effect: saga.Effect(m.text("effect")),
		Timeout: m.duration("timeout"), UndoTimeout: m.duration("undoTimeout"),
		Concurrency: m.count("concurrency", 1, 0, 0), Rate: m.number("rate"), Burst: m.count("burst", 1, 0, 0)}
	if r := m.retry("retry"); r != nil {
		a.Retry = *r
	}
	if r := m.retry("undoRetry"); r != nil {
		a.UndoRetry = *r
	}
	if root.Get("action") == nil {
		m.add(root.Pos, "action is missing: its name")
	}
	if level := m.text("language"); level != "" && level != expr.Level {
		m.add(root.Get("language").Pos, "language: %q is not known to this program, which reads %s", level, expr.Level)
	}
	input, inType := c.schema(m.get("input"), "input", "input", true)
	output, outType := nothingBack, expr.Open
	if n := m.get("output"); n != nil {
		output, outType = c.schema(n, "output", "output", true)
	}
	side := &calls{c, caller, inType, outType, output, root.Get("output") != nil}
	a.Do, a.Undo, a.Probe = side.do(m), side.undo(m), side.probe(m)
	m.done()
	if !book.Empty() {
		return nil
	}
	described, ok := bridge.Described(a, input, output, append(inType.Secrets(), outType.Secrets()...)).(saga.AnyAction)
	if !ok {
		book.Add(root.Pos, "package saga gives actions of another type: this is a defect")
		return nil
	}
	if use := bridge.Action(described); use.Err != nil {
		for _, err := range flat(use.Err) {
			book.Add(root.Pos, "%s", actionWords.Replace(err.Error()))
		}
		return nil
	}
	return described
}

// actionWords turns what is said of an action in Go into words of a file.
var actionWords = strings.NewReplacer("it has no Undo: give it one, or say Effect: saga.NoEffect or saga.Irreversible",
	"it has no undo: give it one, or say effect: none or effect: irreversible", "an Undo and also says Effect:", "an undo and also says effect:",
	"use saga.NoEffect or saga.Irreversible", "use none or irreversible", "Effect is", "effect is", "Rate", "rate")

// nothingBack describes the output of an action whose file names none.
var nothingBack = definition.Payload{Name: "nothing", Check: func(json.RawMessage) error { return nil }, Schema: json.RawMessage(`{}`)}
