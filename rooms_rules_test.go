package atone_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of a room.
const (
	maxFiles   = 20    // besides doc.go
	maxLines   = 3_500 // without tests
	maxLong    = 400   // lines of a file that gives no reason
	maxColumns = 100   // of a line with a comment; a tab counts 4
)

// roomRules are what every room keeps, by their names. Each returns one
// sentence for each breach, beginning with its place.
var roomRules = map[string]func(*room) []string{
	"doc":     (*room).checkDoc,
	"files":   (*room).checkFiles,
	"lines":   (*room).checkLines,
	"long":    (*room).checkLong,
	"calls":   (*room).checkCalls,
	"columns": (*room).checkColumns,
	"names":   (*room).checkNames,
	"api":     (*room).checkAPI,
}

const readingOrder = "Files, in reading order:"

var (
	listItem  = regexp.MustCompile(`^ +- (.*)$`)
	fileItem  = regexp.MustCompile(`^([\w.-]+\.go): \S`)
	directive = regexp.MustCompile(`^//[a-z]+:`)
)

// items returns the entries of the file list in doc.go, and the text before the list on one line.
// An entry that goes on in further lines is joined.
func (r *room) items() (before string, items []string) {
	doc, ok := r.trees["doc.go"]
	if !ok || doc.Doc == nil {
		return "", nil
	}
	before, list, _ := strings.Cut(doc.Doc.Text(), readingOrder)
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\n")
		if m := listItem.FindStringSubmatch(line); m != nil {
			items = append(items, m[1])
		} else if strings.HasPrefix(line, "  ") && len(items) > 0 {
			items[len(items)-1] += " " + strings.TrimSpace(line)
		} else if line != "" {
			break // prose after the list
		}
	}
	return strings.Join(strings.Fields(before), " "), items
}

// order returns each listed file's place in the reading order, from 1, and what doc.go says of it.
func (r *room) order() (place map[string]int, says map[string]string) {
	place, says = map[string]int{}, map[string]string{}
	_, items := r.items()
	for i, item := range items {
		if name, about, ok := strings.Cut(item, ": "); ok && place[name] == 0 {
			place[name], says[name] = i+1, about
		}
	}
	return place, says
}

func (r *room) at(pos token.Pos) string {
	p := r.set.Position(pos)
	return fmt.Sprintf("%s:%d", filepath.ToSlash(p.Filename), p.Line)
}

func (r *room) checkDoc() (bad []string) {
	doc := r.path + "/doc.go:1"
	say := func(format string, args ...any) { bad = append(bad, doc+": "+fmt.Sprintf(format, args...)) }
	before, items := r.items()
	if before == "" {
		say("write a doc.go whose package comment says what the room owns, what it knows nothing of, and its files in reading order")
		return bad
	}
	if !strings.Contains(before, "It owns ") || !strings.Contains(before, "It knows nothing of ") {
		say(`say in sentences "It owns …" and "It knows nothing of …" before the list of files`)
	}
	if len(items) == 0 {
		say(`after the line "%s" list each file as "  - name.go: what it holds"`, readingOrder)
		return bad
	}
	seen := map[string]bool{"doc.go": true}
	for _, item := range items {
		m := fileItem.FindStringSubmatch(item)
		switch {
		case m == nil:
			say(`the entry "%s" does not read "name.go: what it holds"`, item)
		case m[1] == "doc.go":
			say("doc.go does not list itself")
		case seen[m[1]]:
			say("%s is listed twice", m[1])
		case !slices.Contains(r.files, m[1]):
			say("%s is listed, but there is no such file", m[1])
		default:
			seen[m[1]] = true
		}
	}
	for _, name := range r.files {
		if !seen[name] {
			say("%s is not listed: add it where a reader comes to it", name)
		}
	}
	return bad
}

func (r *room) checkFiles() []string {
	if n := len(r.files) - 1; n > maxFiles {
		return []string{fmt.Sprintf("%s: %d files besides doc.go, at most %d: split the room by its jobs", r.path, n, maxFiles)}
	}
	return nil
}

func (r *room) lines(name string) int { return strings.Count(string(r.texts[name]), "\n") }

func (r *room) checkLines() []string {
	sum := 0
	for _, name := range r.files {
		sum += r.lines(name)
	}
	if sum > maxLines {
		return []string{fmt.Sprintf("%s: %d lines without tests, at most %d: split the room by its jobs", r.path, sum, maxLines)}
	}
	return nil
}

func (r *room) checkLong() (bad []string) {
	_, says := r.order()
	for _, name := range r.files {
		if n := r.lines(name); n > maxLong && !strings.Contains(says[name], "long because ") {
			bad = append(bad, fmt.Sprintf(`%s/%s:1: %d lines, at most %d: split it, or give the reason in its line of doc.go: "…; long because …"`, r.path, name, n, maxLong))
		}
	}
	return bad
}

// checkCalls finds each use of a function or method that is declared in a file listed earlier than
// the file that uses it: a call, and as well a function that is handed on to be called. A method of
// an interface is no file's code, so its use is not upward. A mark "up:" where nothing goes up is a
// breach too.
func (r *room) checkCalls() (bad []string) {
	place, _ := r.order()
	type line struct {
		file string
		line int
	}
	marks, used := map[line]token.Pos{}, map[line]bool{}
	for _, name := range r.files {
		for _, group := range r.trees[name].Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "// up: ") {
					// The reason may go on in further lines of the comment: its last line is above
					// the call.
					marks[line{name, r.set.Position(c.Pos()).Line}] = c.Pos()
					if end := r.set.Position(group.End()).Line; end != r.set.Position(c.Pos()).Line {
						marks[line{name, end}] = c.Pos()
					}
				}
			}
		}
	}
	reasons := map[token.Pos]bool{}
	for id, object := range r.info.Uses {
		f, ok := object.(*types.Func)
		if !ok || f.Pkg() != r.pkg || isInterfaceMethod(f) {
			continue
		}
		from, to := r.set.Position(id.Pos()), r.set.Position(f.Pos())
		fromName, toName := filepath.Base(from.Filename), filepath.Base(to.Filename)
		if place[toName] == 0 || place[fromName] <= place[toName] {
			continue
		}
		here, above := line{fromName, from.Line}, line{fromName, from.Line - 1}
		if mark, ok := marks[here]; ok {
			used[here], reasons[mark] = true, true
		} else if mark, ok := marks[above]; ok {
			used[above], reasons[mark] = true, true
		} else {
			bad = append(bad, fmt.Sprintf("%s: %s is in %s, which is listed before %s: give this file what it needs, reorder doc.go, or write the reason here or above: // up: …", r.at(id.Pos()), f.Name(), toName, fromName))
		}
	}
	for _, pos := range marks {
		if !reasons[pos] {
			reasons[pos] = true
			bad = append(bad, r.at(pos)+": nothing goes up here: remove the mark up:")
		}
	}
	slices.Sort(bad)
	return bad
}

func isInterfaceMethod(f *types.Func) bool {
	recv := f.Signature().Recv()
	return recv != nil && types.IsInterface(recv.Type())
}

// checkColumns measures each line that holds a comment, in tests as well. A line with an address
// and a directive cannot be broken; what an Example prints may not be.
func (r *room) checkColumns() (bad []string) {
	for name, tree := range r.trees {
		lines := strings.Split(string(r.texts[name]), "\n")
		for _, group := range tree.Comments {
			if strings.HasPrefix(group.Text(), "Output:") || strings.HasPrefix(group.Text(), "Unordered output:") {
				continue
			}
			for _, c := range group.List {
				first := r.set.Position(c.Pos()).Line
				for i := range strings.Count(c.Text, "\n") + 1 {
					text := lines[first-1+i]
					n := utf8.RuneCountInString(strings.ReplaceAll(text, "\t", "    "))
					if n > maxColumns && !strings.Contains(text, "://") && !directive.MatchString(c.Text) {
						bad = append(bad, fmt.Sprintf("%s/%s:%d: %d columns, at most %d where there is a comment: break the line", r.path, name, first+i, n, maxColumns))
					}
				}
			}
		}
	}
	slices.Sort(bad)
	return bad
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

func (r *room) checkNames() (bad []string) {
	scope := r.pkg.Scope()
	for _, name := range scope.Names() {
		object := scope.Lookup(name)
		if !object.Exported() || types.IsInterface(object.Type()) && !types.Identical(object.Type().Underlying(), errorType) {
			continue
		}
		isError := types.Implements(object.Type(), errorType) || types.Implements(types.NewPointer(object.Type()), errorType)
		if !isError {
			continue
		}
		switch object.(type) {
		case *types.TypeName:
			if !strings.HasSuffix(name, "Error") {
				bad = append(bad, fmt.Sprintf("%s: %s is an error type: its name ends in Error", r.at(object.Pos()), name))
			}
		case *types.Var:
			if !strings.HasPrefix(name, "Err") {
				bad = append(bad, fmt.Sprintf("%s: %s is an error: its name starts with Err", r.at(object.Pos()), name))
			}
		}
	}
	return bad
}

// checkAPI finds types of internal rooms in what a public room exports. An alias makes such a type
// public; it has a comment of its own, since readers cannot open the internal room in their
// editors' documentation.
func (r *room) checkAPI() (bad []string) {
	if slices.Contains(strings.Split(r.path, "/"), "internal") {
		return nil
	}
	w := &apiWalk{room: r, public: map[*types.TypeName]bool{}, seen: map[types.Type]bool{}}
	scope := r.pkg.Scope()
	for _, name := range scope.Names() {
		object, ok := scope.Lookup(name).(*types.TypeName)
		if !ok || !object.Exported() || !object.IsAlias() {
			continue
		}
		if to, ok := types.Unalias(object.Type()).(*types.Named); ok && internal(to.Obj()) {
			w.public[to.Origin().Obj()] = true
			if !r.documented(object.Pos()) {
				bad = append(bad, fmt.Sprintf("%s: %s stands for a type of an internal room: say here what it is", r.at(object.Pos()), name))
			}
		}
	}
	for _, name := range scope.Names() {
		if object := scope.Lookup(name); object.Exported() {
			w.object(object)
		}
	}
	return append(bad, w.bad...)
}

func internal(object *types.TypeName) bool {
	return object.Pkg() != nil && slices.Contains(strings.Split(object.Pkg().Path(), "/"), "internal") &&
		strings.HasPrefix(object.Pkg().Path(), module)
}

// documented reports whether the type that is declared at pos has a comment of its own.
func (r *room) documented(pos token.Pos) (found bool) {
	for _, tree := range r.trees {
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				if len(n.Specs) == 1 && !n.Lparen.IsValid() {
					if s, ok := n.Specs[0].(*ast.TypeSpec); ok && s.Name.Pos() == pos {
						found = n.Doc != nil
					}
				}
			case *ast.TypeSpec:
				if n.Name.Pos() == pos && n.Doc != nil {
					found = true
				}
			}
			return true
		})
	}
	return found
}

// apiWalk goes through what a caller of a room can name or reach from its exported objects.
type apiWalk struct {
	room   *room
	public map[*types.TypeName]bool // types of internal rooms that have an alias
	seen   map[types.Type]bool
	from   types.Object // the exported object under way
	bad    []string
}

func (w *apiWalk) object(object types.Object) {
	w.from = object
	name, ok := object.(*types.TypeName)
	if !ok {
		w.use(object.Type())
		return
	}
	if alias, ok := object.Type().(*types.Alias); ok {
		w.use(alias.Rhs())
		return
	}
	w.definition(name.Type().(*types.Named))
}

// definition visits the exported methods and fields of a type.
func (w *apiWalk) definition(named *types.Named) {
	if w.seen[named] {
		return
	}
	w.seen[named] = true
	for m := range named.Methods() {
		if m.Exported() {
			w.use(m.Signature())
		}
	}
	w.use(named.Underlying())
}

// use visits a type that an exported signature or field names.
func (w *apiWalk) use(t types.Type) {
	switch t := t.(type) {
	case *types.Named:
		for arg := range t.TypeArgs().Types() {
			w.use(arg)
		}
		if object := t.Origin().Obj(); internal(object) {
			if !w.public[object] {
				w.bad = append(w.bad, fmt.Sprintf("%s: %s exposes %s.%s of an internal room: give it a documented alias here, or a type of this room", w.room.at(w.from.Pos()), w.from.Name(), object.Pkg().Name(), object.Name()))
				w.public[object] = true // once is enough
			}
			w.definition(t.Origin())
		}
	case *types.Alias:
		for arg := range t.TypeArgs().Types() {
			w.use(arg)
		}
		w.use(types.Unalias(t))
	case *types.Pointer:
		w.use(t.Elem())
	case *types.Slice:
		w.use(t.Elem())
	case *types.Array:
		w.use(t.Elem())
	case *types.Chan:
		w.use(t.Elem())
	case *types.Map:
		w.use(t.Key())
		w.use(t.Elem())
	case *types.Tuple:
		for v := range t.Variables() {
			w.use(v.Type())
		}
	case *types.Signature:
		w.use(t.Params())
		w.use(t.Results())
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				w.use(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			if m.Exported() {
				w.use(m.Signature())
			}
		}
		for e := range t.EmbeddedTypes() {
			w.use(e)
		}
	case *types.Union:
		for term := range t.Terms() {
			w.use(term.Type())
		}
	}
}
