package atone_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/atonehq/atone/"

// source is a Go file of the module.
type source struct {
	path, pkg string // relative to the module's root
	file      *ast.File
	set       *token.FileSet
	text      string
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// sources parses every Go file of the module.
func sources(t *testing.T) (files []source) {
	t.Helper()
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && p != "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(p)
		files = append(files, source{path: rel, pkg: path.Dir(rel), file: file, set: set, text: string(text)})
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(files), 100, "the module's files were not found")
	return files
}

// imports returns what a file imports: the packages of this module relative to its root, and the others.
func (s source) imports() (own, others []string) {
	for _, i := range s.file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		if rel, ok := strings.CutPrefix(p, module); ok {
			own = append(own, rel)
		} else {
			others = append(others, p)
		}
	}
	return own, others
}

// under reports whether a package lies in, or below, one of the folders.
func under(pkg string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return pkg == f || strings.HasPrefix(pkg, f+"/") })
}

// TestImportsRunOneWay holds the packages to domain ← saga/machine ← saga, projections ← adapters ←
// cmd, and an adapter to importing no other adapter. Tests and test kits may import what they test with.
func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test() || strings.HasSuffix(s.file.Name.Name, "test") {
			continue
		}
		own, _ := s.imports()
		for _, to := range own {
			ok := true
			switch {
			case under(s.pkg, "domain"):
				ok = under(to, "domain")
			case under(s.pkg, "saga/machine"):
				ok = under(to, "domain", "saga/machine")
			case under(s.pkg, "saga/explain"):
				ok = under(to, "domain", "saga/machine", "saga/explain")
			case under(s.pkg, "saga/internal"):
				ok = under(to, "domain", "saga") && to != "saga" && to != "saga/verdict" // saga is the front door
			case under(s.pkg, "saga"):
				ok = under(to, "domain", "saga") && to != "saga/verdict"
			case under(s.pkg, "projections"):
				ok = under(to, "domain", "saga", "projections")
			case under(s.pkg, "adapters"):
				adapter := strings.Join(strings.Split(s.pkg, "/")[:2], "/")
				// Programs that only tests start are composition roots.
				ok = under(to, "domain", "saga", "projections", adapter) || s.file.Name.Name == "main"
			}
			assert.True(t, ok, "%s imports %s: imports run domain ← saga/machine ← saga, projections ← adapters ← cmd, and no adapter imports another", s.path, to)
		}
	}
}

// technologies are what only adapters and programs may know.
var technologies = regexp.MustCompile(`pebble|EventStore|kurrent|sqlite|pgx|lib/pq|prometheus|opentelemetry|cobra|huma|database/sql|net/http|grpc`)

// TestTheInsideKnowsNoTechnology holds everything but adapters and programs to the ports.
func TestTheInsideKnowsNoTechnology(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test() || !under(s.pkg, "domain", "saga", "projections") || under(s.pkg, "projections/sqlstore") {
			continue
		}
		if s.pkg == "saga/explore" {
			continue // it stands in for what handlers reach
		}
		_, others := s.imports()
		for _, to := range others {
			if to == "database/sql/driver" && s.path == "saga/internal/verdict/connection.go" {
				continue // for the one error, ErrBadConn, that means the same whatever the database
			}
			if s.pkg == "saga/verdict" && slices.Contains([]string{"net/http", "net/http/httptrace", "database/sql"}, to) {
				continue // for handlers, which are outside; the engine does not import it
			}
			require.False(t, technologies.MatchString(to), "%s imports %s: declare a port and keep it in an adapter", s.path, to)
		}
	}
}

// impure are the calls that a pure package does not make, by import path; * stands for all.
var impure = map[string]string{
	"time":                   "Now Since Until Sleep After AfterFunc NewTimer NewTicker Tick",
	"github.com/google/uuid": "New NewString NewUUID NewRandom NewV6 NewV7 NewRandomFromReader",
	"os":                     "*", "io": "*", "net": "*", "net/http": "*", "math/rand": "*", "math/rand/v2": "*", "crypto/rand": "*", "log": "*", "log/slog": "*",
	"os/exec": "*", "syscall": "*", "database/sql": "*", "runtime": "*",
}

// TestTheCoreIsPure finds clocks, randomness and I/O in domain, saga/machine and saga/explain (rules 2 and 3). The one
// exception is NewRunID, which callers of the core call.
func TestTheCoreIsPure(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, s := range sources(t) {
		if s.test() || s.pkg != "domain" && s.pkg != "saga/machine" && s.pkg != "saga/explain" {
			continue
		}
		checked++
		names := map[string]string{} // local name → import path
		for _, i := range s.file.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			require.NotEqual(t, "*", impure[p], "%s imports %s: the core is pure", s.path, p)
			name := path.Base(p)
			if i.Name != nil {
				name = i.Name.Name
			}
			require.NotContains(t, []string{".", "_"}, name, "%s imports %s as %s", s.path, p, name)
			names[name] = p
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "NewRunID" && s.pkg == "domain" {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s starts a goroutine: the core is pure", s.set.Position(g.Pos()))
				}
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(strings.Fields(impure[names[x.Name]]), sel.Sel.Name) {
					t.Errorf("%s calls %s.%s: the core is pure", s.set.Position(sel.Pos()), x.Name, sel.Sel.Name)
				}
				return true
			})
		}
	}
	require.Greater(t, checked, 15)
}

// TestNoProgramHasATest holds what the main of a program imports to be free of packages for tests.
func TestNoProgramHasATest(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "./cmd/signup", "./cmd/atone").Output()
	require.NoError(t, err)
	for dep := range strings.FieldsSeq(string(out)) {
		require.NotRegexp(t, `^testing(/|$)|/testify|/httptest$|/sagatest(/|$)`, dep)
	}
}

// TestLongFilesSayWhy wants a reason, before the first declaration, in a program's files past 400
// lines. Other packages give it in doc.go: see TestRooms.
func TestLongFilesSayWhy(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test() || s.file.Name.Name != "main" || strings.Count(s.text, "\n") <= maxLong {
			continue
		}
		head := s.text
		for _, d := range s.file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
				head = s.text[:s.set.Position(g.Pos()).Offset]
				break
			}
		}
		assert.Contains(t, head, "This file is long", "%s has %d lines: split it, or say at its top: This file is long because …", s.path, strings.Count(s.text, "\n"))
	}
}
