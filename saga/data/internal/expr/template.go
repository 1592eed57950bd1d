package expr

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/atonehq/atone/saga/data/internal/source"
)

// Value is a value of a file: literals, with expressions where ${…} stands. It is safe for
// concurrent use.
type Value struct {
	at   source.Pos
	file string
	typ  *Type
	// One of these is set.
	raw     json.RawMessage
	whole   *Expr
	parts   []part
	items   []*Value
	members []member
}

// part is a piece of a text: letters, or an expression.
type part struct {
	text string
	expr *Expr
}

type member struct {
	name     string
	value    *Value
	optional bool
}

// Type returns the type of the value.
func (v *Value) Type() *Type { return v.typ }

// Roots lists what the value reads: names of variables, and steps.NAME.
func (v *Value) Roots() []string {
	roots := map[string]bool{}
	v.rootsInto(roots)
	return slices.Sorted(maps.Keys(roots))
}

func (v *Value) rootsInto(roots map[string]bool) {
	note := func(e *Expr) {
		for root := range e.roots {
			roots[root] = true
		}
	}
	if v.whole != nil {
		note(v.whole)
	}
	for _, p := range v.parts {
		if p.expr != nil {
			note(p.expr)
		}
	}
	for _, item := range v.items {
		item.rootsInto(roots)
	}
	for _, m := range v.members {
		m.value.rootsInto(roots)
	}
}

// Constant reports whether the value has no expressions.
func (v *Value) Constant() bool { return v.raw != nil }

// Compile compiles a value that stands in the scope. want is the type that is wanted there. says
// begins what is told of a problem. It returns nil where it told of one.
func (s *Scope) Compile(book *source.Book, says string, n *source.Node, want *Type) *Value {
	before := len(book.Problems())
	v := s.value(place{book, says}, n, want, false)
	if len(book.Problems()) > before {
		return nil
	}
	return v
}

// value compiles a value. optional means that it may be absent where it stands.
func (s *Scope) value(p place, n *source.Node, want *Type, optional bool) *Value {
	v := &Value{at: n.Pos, file: p.book.File}
	switch n.Kind {
	case source.Map:
		s.object(p, n, want, v)
	case source.List:
		s.list(p, n, want, v)
	case source.Text:
		s.text(p, n, v)
	case source.Null, source.Bool, source.Int, source.Float:
		kinds := map[source.Kind]Kind{source.Null: Nothing, source.Bool: Boolean, source.Int: Integer, source.Float: Number}
		v.typ, v.raw = &Type{Kind: kinds[n.Kind]}, json.RawMessage(n.Text)
	}
	if v.typ == nil { // an expression that is wrong
		v.typ = Open
		return v
	}
	if n.Kind != source.Map && n.Kind != source.List || want.Kind != Object && want.Kind != Map && want.Kind != List {
		if why := misfit(v.typ, want, optional); why != "" {
			p.add(n.Pos, "%s", why)
		}
	}
	return v
}

// below names a part of a value.
func (p place) below(name string) place {
	if p.says != "" {
		name = p.says + "." + name
	}
	return place{p.book, name}
}

func (s *Scope) object(p place, n *source.Node, want *Type, v *Value) {
	v.typ = &Type{Kind: Object, Words: p.says}
	if want.Kind == List {
		p.add(n.Pos, "it is an object, not a list")
	}
	constant := true
	for i, key := range n.Keys {
		inner, optional := Open, true
		switch f := want.Field(key.Text); {
		case want.Kind == Map:
			inner = want.Elem
		case want.Kind == Object && f == nil && !want.Open:
			p.below(key.Text).add(key.Pos, "%s", NoField(key.Text, want))
		case f != nil:
			inner, optional = f.Type, !f.Required
		}
		item := s.value(p.below(key.Text), n.Items[i], inner, optional)
		v.members = append(v.members, member{key.Text, item, item.typ.Maybe})
		v.typ.Fields = append(v.typ.Fields, Field{Name: key.Text, Type: item.typ.Always(), Required: !item.typ.Maybe})
		constant = constant && item.Constant()
	}
	if want.Kind == Object {
		if lacks := missing(want, func(name string) bool { return n.Get(name) != nil }); lacks != "" {
			p.add(n.Pos, "%s (%s)", lacks, want.Words)
		}
	}
	if constant {
		v.raw, v.members = n.JSON(), nil
	}
}

func (s *Scope) list(p place, n *source.Node, want *Type, v *Value) {
	inner := Open
	switch want.Kind {
	case List:
		inner = want.Elem
	case Object, Map:
		p.add(n.Pos, "it is a list, not %v", want)
	}
	v.typ = &Type{Kind: List, Elem: Open}
	constant := true
	for i, item := range n.Items {
		value := s.value(place{p.book, fmt.Sprintf("%s[%d]", p.says, i)}, item, inner, false)
		v.items = append(v.items, value)
		constant = constant && value.Constant()
		if i == 0 {
			v.typ.Elem = value.typ
		} else if v.typ.Elem.Kind != value.typ.Kind || value.typ.Kind == Object {
			v.typ.Elem = Open
		}
	}
	if constant {
		v.raw, v.items = n.JSON(), nil
	}
}

// text reads a text: a literal, one expression, or letters with expressions among them.
func (s *Scope) text(p place, n *source.Node, v *Value) {
	parts, whole, ok := s.parts(p, n)
	switch {
	case !ok:
		return
	case whole:
		v.whole, v.typ = parts[0].expr, parts[0].expr.typ
		if v.typ.Words == "" || v.typ.Kind != Object {
			own := *v.typ
			own.Words = p.says
			v.typ = &own
		}
	case len(parts) == 0 || len(parts) == 1 && parts[0].expr == nil:
		text := ""
		if len(parts) == 1 {
			text = parts[0].text
		}
		v.typ, v.raw = &Type{Kind: Text}, source.Quoted(text)
	default:
		v.typ, v.parts = &Type{Kind: Text}, parts
		for _, part := range parts {
			if part.expr == nil {
				continue
			}
			switch t := part.expr.typ; {
			case t.Maybe:
				p.add(part.expr.at, "%s", maybe)
			case t.Kind != Any && t.Kind != Text && t.Kind != Integer && t.Kind != Number && t.Kind != Boolean && t.Kind != Timestamp:
				p.add(part.expr.at, "%v can't stand within a text", t)
			}
		}
	}
}

// parts cuts a text at its expressions. whole means that it is one expression. $${ stands for ${.
func (s *Scope) parts(p place, n *source.Node) (parts []part, whole, ok bool) {
	text, at, ok := n.Text, 0, true
	var letters strings.Builder
	for {
		next := strings.Index(text[at:], "${")
		if next < 0 {
			letters.WriteString(text[at:])
			break
		}
		start := at + next
		if start > at && text[start-1] == '$' {
			letters.WriteString(text[at:start-1] + "${")
			at = start + 2
			continue
		}
		letters.WriteString(text[at:start])
		end := closing(text, start+2)
		if end < 0 {
			p.add(n.Place(start), "${ without its }: write $${ for the letters")
			return nil, false, false
		}
		if letters.Len() > 0 {
			parts = append(parts, part{text: letters.String()})
			letters.Reset()
		}
		from := start + 2
		inner := text[from:end]
		lead := len(inner) - len(strings.TrimLeft(inner, " \t\r\n"))
		e := s.compile(p, strings.TrimSpace(inner), func(offset int) source.Pos { return n.Place(from + lead + offset) })
		ok = ok && e != nil
		parts = append(parts, part{expr: e})
		at = end + 1
	}
	if letters.Len() > 0 {
		parts = append(parts, part{text: letters.String()})
	}
	return parts, ok && len(parts) == 1 && parts[0].expr != nil, ok
}

// closing returns where the brace is that ends an expression, or -1. Braces in the expression's
// texts and those of its maps are passed over.
func closing(text string, at int) int {
	depth, quote := 0, byte(0)
	for ; at < len(text); at++ {
		switch c := text[at]; {
		case quote != 0 && c == '\\':
			at++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return at
		case c == '}':
			depth--
		}
	}
	return -1
}
