package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/definition"
)

// calls are what the calls of one action share.
type calls struct {
	c       *compiler
	caller  Caller
	in, out *expr.Type
	output  definition.Payload
	returns bool // the action has an output
}

// scope is what every call can read.
func (s *calls) scope() *expr.Scope {
	return s.c.env.NewScope().WithVar("input", s.in).WithVar("key", &expr.Type{Kind: expr.Text})
}

// vars gives an evaluation its values.
func vars(of map[string]json.RawMessage) *expr.Values {
	return &expr.Values{Read: func(root string) (json.RawMessage, bool) {
		raw, ok := of[root]
		return raw, ok
	}}
}

// do reads what the action does.
func (s *calls) do(m *members) func(context.Context, json.RawMessage) (json.RawMessage, error) {
	n := m.get("call")
	if n == nil {
		m.add(m.node.Pos, "call is missing: what the action does")
		return func(context.Context, json.RawMessage) (json.RawMessage, error) { return nil, nil }
	}
	r := s.c.request("call", n, s.scope(), s.caller, s.out)
	return func(ctx context.Context, in json.RawMessage) (json.RawMessage, error) {
		key := saga.AttemptOf(ctx).Key
		read := map[string]json.RawMessage{"input": in, "key": source.Quoted(key)}
		reply, err := r.call(ctx, vars(read), key)
		if err == nil {
			err = r.judge(reply)
		}
		if err != nil {
			return nil, err
		}
		return s.outputOf(r, reply, read)
	}
}

// outputOf computes the action's output from an answer that is a success. What can't be read leaves
// the effect in doubt, because it was done.
func (s *calls) outputOf(r *request, reply Reply, read map[string]json.RawMessage) (json.RawMessage, error) {
	raw := reply.Body
	switch {
	case r.answer.value != nil:
		all := maps.Clone(read)
		body := reply.Body
		if len(body) == 0 {
			body = json.RawMessage("null")
		}
		all["answer"] = json.RawMessage(fmt.Sprintf(`{"status":%d,"body":%s}`, reply.Status, body))
		var err error
		if raw, err = r.answer.value.JSON(vars(all)); err != nil {
			return nil, saga.InDoubt(fmt.Errorf("the call was answered with success (%d), but its output can't be computed: %w", reply.Status, err))
		}
	case !s.returns:
		return json.RawMessage("{}"), nil
	case len(raw) == 0:
		raw = json.RawMessage("null")
	}
	if err := fits(s.output)(raw); err != nil {
		return nil, saga.InDoubt(fmt.Errorf("the call was answered with success (%d), but what came is no output of the action: %w", reply.Status, err))
	}
	return raw, nil
}

// undo reads how the action is taken back; nil where it is not.
func (s *calls) undo(m *members) func(context.Context, saga.Did[json.RawMessage, json.RawMessage]) error {
	n := m.get("undo")
	if n == nil {
		return nil
	}
	out := *s.out
	out.Maybe = true
	sc := s.scope().WithVar("output", &out).WithVar("inDoubt", &expr.Type{Kind: expr.Boolean})
	r := s.c.request("undo", n, sc, s.caller, expr.Open)
	return func(ctx context.Context, did saga.Did[json.RawMessage, json.RawMessage]) error {
		read := map[string]json.RawMessage{"input": did.Input, "key": source.Quoted(did.Key), "inDoubt": json.RawMessage(fmt.Sprint(did.InDoubt))}
		if len(did.Output) > 0 {
			read["output"] = did.Output
		}
		reply, err := r.call(ctx, vars(read), saga.AttemptOf(ctx).Key)
		if err != nil {
			return err
		}
		return r.judge(reply)
	}
}

// probe reads how it is found out whether a call in doubt took effect; nil where it can't be.
func (s *calls) probe(m *members) func(context.Context, json.RawMessage) (saga.Probed[json.RawMessage], error) {
	n := m.get("probe")
	if n == nil {
		return nil
	}
	r := s.c.request("probe", n, s.scope(), s.caller, s.out)
	if r != nil && !r.safe() {
		m.add(n.Pos, "probe: a %s may change something: use GET or HEAD", r.method)
	}
	return func(ctx context.Context, in json.RawMessage) (saga.Probed[json.RawMessage], error) {
		unknown := saga.Unknown[json.RawMessage]()
		read := map[string]json.RawMessage{"input": in, "key": source.Quoted(saga.AttemptOf(ctx).Key)}
		reply, err := r.call(ctx, vars(read), "")
		if err != nil {
			return unknown, err
		}
		switch word := r.answer.word(reply.Status); {
		case word == "notApplied":
			return saga.NotApplied[json.RawMessage](), nil
		case word == "unknown":
			return unknown, nil
		case word == "" && reply.Meaning != nil:
			return unknown, errors.Join(errors.New("the probe was not answered"), reply.Meaning)
		}
		out, err := s.outputOf(r, reply, read)
		if err != nil {
			return unknown, err
		}
		return saga.Applied(out), nil
	}
}
