package expr

import (
	"maps"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// guard finds members that may be absent and are read without being asked for first: with has, or
// as an optional.
type guard struct {
	tree  *ast.AST
	types *provider
	bad   func(at ast.Expr, path string, in *Type, member string)
}

// facts are the members that are known to be there, by their paths.
type facts map[string]bool

func (f facts) and(more facts) facts {
	all := maps.Clone(f)
	maps.Copy(all, more)
	return all
}

// pathOf returns the text of a chain of names, or nothing for other expressions.
func pathOf(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent()
	case ast.SelectKind:
		if of := pathOf(e.AsSelect().Operand()); of != "" {
			return of + "." + e.AsSelect().FieldName()
		}
	}
	return ""
}

// holds returns what is there when the expression has the value.
func holds(e ast.Expr, value bool) facts {
	switch {
	case e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() && value:
		return facts{pathOf(e): true}
	case e.Kind() != ast.CallKind:
		return nil
	}
	c := e.AsCall()
	switch {
	case c.FunctionName() == operators.LogicalNot:
		return holds(c.Args()[0], !value)
	case c.FunctionName() == operators.LogicalAnd && value, c.FunctionName() == operators.LogicalOr && !value:
		all := facts{}
		for _, arg := range c.Args() {
			maps.Copy(all, holds(arg, value))
		}
		return all
	}
	return nil
}

// walk checks an expression where the facts hold.
func (g *guard) walk(e ast.Expr, known facts) {
	switch e.Kind() {
	case ast.SelectKind:
		s := e.AsSelect()
		g.walk(s.Operand(), known)
		if !s.IsTestOnly() {
			g.member(e, s, known)
		}
	case ast.CallKind:
		g.call(e.AsCall(), known)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			g.walk(item, known)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			g.walk(entry.AsMapEntry().Key(), known)
			g.walk(entry.AsMapEntry().Value(), known)
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		for _, part := range []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
			g.walk(part, known)
		}
	}
}

// member checks the reading of one member.
func (g *guard) member(e ast.Expr, s ast.SelectExpr, known facts) {
	of := g.tree.GetType(s.Operand().ID())
	if of == nil || of.Kind() != types.StructKind || known[pathOf(e)] {
		return
	}
	object := g.types.objects[of.TypeName()]
	if object == nil {
		return
	}
	if f := object.Field(s.FieldName()); f == nil || !f.Required {
		g.bad(e, pathOf(e), object, s.FieldName())
	}
}

// call checks the arguments, each with what those before it make sure of.
func (g *guard) call(c ast.CallExpr, known facts) {
	args := c.Args()
	if c.IsMemberFunction() {
		g.walk(c.Target(), known)
	}
	switch c.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		for _, arg := range args {
			g.walk(arg, known)
			known = known.and(holds(arg, c.FunctionName() == operators.LogicalAnd))
		}
	case operators.Conditional:
		g.walk(args[0], known)
		g.walk(args[1], known.and(holds(args[0], true)))
		g.walk(args[2], known.and(holds(args[0], false)))
	default:
		for _, arg := range args {
			g.walk(arg, known)
		}
	}
}
