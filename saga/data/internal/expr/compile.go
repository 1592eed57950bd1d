package expr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/data/internal/source"
)

// Expr is a compiled expression. It is safe for concurrent use.
type Expr struct {
	file, text string
	at         source.Pos
	program    cel.Program
	typ        *Type
	// roots are what it reads: variables, and the outputs of steps. types are theirs.
	roots map[string]*Type
	// whole is the root that the expression passes on as it is, or empty.
	whole string
	// paths are the members that it reads, for who is told of its failure.
	paths []string
}

// maxExpressions bounds the expressions of a file.
const maxExpressions = 2_000

// place is where expressions are found: a step, and the part of it.
type place struct {
	book *source.Book
	// says begins what is told: step update-crm: input.email.
	says string
}

func (p place) add(at source.Pos, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if p.says != "" {
		text = p.says + ": " + text
	}
	p.book.Add(at, "%s", text)
}

// compile compiles the text of an expression. at tells where its bytes stand. It returns nil where
// it told of a problem.
func (s *Scope) compile(p place, text string, at func(offset int) source.Pos) *Expr {
	if s.env.count++; s.env.count > maxExpressions {
		p.add(at(0), "the file has more than %d expressions", maxExpressions)
		return nil
	}
	env, err := s.cel()
	if err != nil {
		p.add(at(0), "%v", err)
		return nil
	}
	s.env.types.missed = map[string]*Type{}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			p.add(at(offsetOf(text, e.Location.Line(), e.Location.Column())), "%s", s.told(e.Message))
		}
		return nil
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.CostTracking(costs{}), cel.MemoryLimit(maxMemory))
	if err != nil {
		p.add(at(0), "%v", err)
		return nil
	}
	e := &Expr{file: p.book.File, text: text, at: at(0), program: program, typ: s.env.types.typeOf(checked.OutputType()), roots: map[string]*Type{}}
	tree := checked.NativeRep()
	before := len(p.book.Problems())
	where := func(x ast.Expr) source.Pos {
		from := tree.SourceInfo().GetStartLocation(x.ID())
		return at(offsetOf(text, from.Line(), from.Column()))
	}
	g := &guard{tree: tree, types: s.env.types, bad: func(x ast.Expr, path string, in *Type, member string) {
		if path == "" {
			path = member
		}
		p.add(where(x), "%q may be absent in %s: ask has(%s) first, or read it with .?%s and orValue(…)", member, in.Words, path, member)
	}}
	g.walk(tree.Expr(), facts{})
	s.rootsOf(e, tree.Expr(), nil, func(x ast.Expr) {
		p.add(where(x), "steps is no value: name the step, as in steps.NAME")
	})
	if len(p.book.Problems()) > before {
		return nil
	}
	if name := rootName(tree.Expr()); name != "" {
		e.whole = name
	}
	slices.Sort(e.paths)
	e.paths = slices.Compact(e.paths)
	return e
}

// offsetOf returns the byte of a line, from 1, and a column, from 0.
func offsetOf(text string, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	for i := range text[at:] {
		if column--; column < 0 {
			return at + i
		}
	}
	return len(text)
}

var (
	undefined  = regexp.MustCompile(`^undefined field '(.*)'$`)
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	objectName = regexp.MustCompile(`\bobject[0-9]+\b`)
	operator   = regexp.MustCompile(`'_(==|!=|<=|>=|<|>|\+|-|\*|/|%|&&|\|\||\[\])_'|'(!)_'|'(-)_'|'(@in)'`)
)

// told turns a problem in CEL's words into ours.
func (s *Scope) told(message string) string {
	if m := undefined.FindStringSubmatch(message); m != nil {
		if in := s.env.types.missed[m[1]]; in != nil {
			return NoField(m[1], in)
		}
	}
	if m := undeclared.FindStringSubmatch(message); m != nil {
		names := []string{"steps"}
		for _, v := range s.vars {
			names = append(names, v.Name)
		}
		return fmt.Sprintf("there is no %q here%s", m[1], Meant(m[1], names))
	}
	message = objectName.ReplaceAllStringFunc(message, func(name string) string {
		if t := s.env.types.objects[name]; t != nil {
			return t.Words
		}
		return name
	})
	return operator.ReplaceAllString(message, "$1$2$3$4")
}

// NoField says that an object does not have a member.
func NoField(name string, in *Type) string {
	if in.Words == "steps" {
		return fmt.Sprintf("no step %q can be read here: it comes later, or stands in a branch or a list that this is not in%s", name, Meant(name, in.Names()))
	}
	return fmt.Sprintf("no such field %q in %s%s", name, in.Words, Meant(name, in.Names()))
}

// Meant suggests the name that is most like one that there is not.
func Meant(name string, names []string) string {
	if best := accept.Meant(name, names); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	if len(names) == 0 || len(names) > 30 {
		return ""
	}
	return ": there are " + strings.Join(names, ", ")
}

// rootName returns the root that the expression is, or nothing.
func rootName(e ast.Expr) string {
	switch {
	case e.Kind() == ast.IdentKind && e.AsIdent() != "steps":
		return e.AsIdent()
	case e.Kind() == ast.SelectKind && !e.AsSelect().IsTestOnly():
		if of := e.AsSelect().Operand(); of.Kind() == ast.IdentKind && of.AsIdent() == "steps" {
			return "steps." + e.AsSelect().FieldName()
		}
	}
	return ""
}

// rootsOf notes what an expression reads. bound are the variables of comprehensions around it.
func (s *Scope) rootsOf(e *Expr, x ast.Expr, bound []string, bad func(ast.Expr)) {
	note := func(root, path string) {
		e.roots[root] = s.root(root)
		e.paths = append(e.paths, path)
	}
	walk := func(x ast.Expr, bound []string) { s.rootsOf(e, x, bound, bad) }
	switch x.Kind() {
	case ast.IdentKind:
		switch name := x.AsIdent(); {
		case slices.Contains(bound, name), strings.HasPrefix(name, "@"):
		case name == "steps":
			bad(x)
		case slices.ContainsFunc(s.vars, func(f Field) bool { return f.Name == name }):
			note(name, name)
		}
	case ast.SelectKind:
		path := pathOf(x)
		name, rest, _ := strings.Cut(path, ".")
		step, _, _ := strings.Cut(rest, ".")
		switch {
		case path == "" || slices.Contains(bound, name):
			walk(x.AsSelect().Operand(), bound)
		case name == "steps" && step != "":
			note("steps."+step, path)
		default:
			note(name, path)
		}
	case ast.CallKind:
		c := x.AsCall()
		args := c.Args()
		if c.FunctionName() == operators.OptSelect && args[0].Kind() == ast.IdentKind && args[0].AsIdent() == "steps" && args[1].Kind() == ast.LiteralKind {
			if name, ok := args[1].AsLiteral().(types.String); ok {
				note("steps."+string(name), "steps."+string(name))
				return
			}
		}
		if c.IsMemberFunction() {
			walk(c.Target(), bound)
		}
		for _, arg := range args {
			walk(arg, bound)
		}
	case ast.ListKind:
		for _, item := range x.AsList().Elements() {
			walk(item, bound)
		}
	case ast.MapKind:
		for _, entry := range x.AsMap().Entries() {
			walk(entry.AsMapEntry().Key(), bound)
			walk(entry.AsMapEntry().Value(), bound)
		}
	case ast.ComprehensionKind:
		c := x.AsComprehension()
		walk(c.IterRange(), bound)
		inner := append(slices.Clone(bound), c.IterVar(), c.IterVar2(), c.AccuVar())
		for _, part := range []ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
			walk(part, inner)
		}
	}
}
