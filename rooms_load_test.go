package atone_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// room is a package of the module with what the rules of rooms_rules_test.go ask about it.
type room struct {
	path  string   // relative to the module's root: saga/machine
	files []string // names of the non-test files, whatever their build tags, sorted
	set   *token.FileSet
	texts map[string][]byte    // by name, tests too
	trees map[string]*ast.File // by name, tests too
	pkg   *types.Package
	info  *types.Info
}

// newRoom parses a package's files and resolves the names in those that this platform builds. Paths
// in findings are the room's path and a file's name.
func newRoom(path string, texts map[string][]byte, built []string, from types.Importer) (*room, error) {
	r := &room{
		path: path, set: token.NewFileSet(), texts: texts, trees: map[string]*ast.File{},
		info: &types.Info{Uses: map[*ast.Ident]types.Object{}},
	}
	for name, text := range texts {
		tree, err := parser.ParseFile(r.set, filepath.Join(path, name), text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		r.trees[name] = tree
		if !strings.HasSuffix(name, "_test.go") {
			r.files = append(r.files, name)
		}
	}
	slices.Sort(r.files)
	var trees []*ast.File
	for _, name := range built {
		trees = append(trees, r.trees[name])
	}
	config := types.Config{Importer: from}
	pkg, err := config.Check(module+path, r.set, trees, r.info)
	if err != nil {
		return nil, fmt.Errorf("resolve the names of %s: %w", path, err)
	}
	r.pkg = pkg
	return r, nil
}

// rooms loads the module's packages, but not its programs: what has no importer has no readers to
// guide. The go command compiles what they import; a warm build cache makes this quick.
func rooms() ([]*room, error) {
	command := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Dir,Export,GoFiles", "./...")
	var failed bytes.Buffer
	command.Stderr = &failed
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, failed.String())
	}
	type listed struct {
		ImportPath, Name, Dir, Export string
		GoFiles                       []string
	}
	var own []listed
	exports := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[l.ImportPath] = l.Export
		if strings.HasPrefix(l.ImportPath, module) && l.Name != "main" {
			own = append(own, l)
		}
	}
	compiled := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	var all []*room
	for _, l := range own {
		names, err := filepath.Glob(filepath.Join(l.Dir, "*.go"))
		if err != nil {
			return nil, err
		}
		texts := map[string][]byte{}
		for _, name := range names {
			if texts[filepath.Base(name)], err = os.ReadFile(name); err != nil {
				return nil, err
			}
		}
		r, err := newRoom(strings.TrimPrefix(l.ImportPath, module), texts, l.GoFiles, compiled)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}
