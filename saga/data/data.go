package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data/internal/source"
	"github.com/atonehq/atone/saga/internal/bridge"
	"github.com/atonehq/atone/saga/internal/definition"
)

// Saga is a saga that was read from a file. Its input and output are JSON.
type Saga = saga.Saga[json.RawMessage, json.RawMessage]

// File is the text of a file. Its name says in which notation it is: JSON where it ends in .json,
// else YAML.
type File struct {
	Name string
	Text []byte
}

// ProblemsError is everything that is wrong with some files.
type ProblemsError struct {
	// Problems are one line each, sorted by file and line: signup.yaml:14:9: step update-crm: …
	Problems []string
}

// Error returns one problem a line.
func (e *ProblemsError) Error() string { return strings.Join(e.Problems, "\n") }

// Set is what some files have.
type Set struct {
	// Actions are those of files that are actions, and Sagas those that are sagas, in the order of
	// the files.
	Actions []saga.AnyAction
	Sagas   []*Saga
	// Triggers are those of the sagas.
	Triggers []saga.AnyTrigger
}

// Load reads sagas and actions from files, and every file of a folder whose name ends in .yaml,
// .yml or .json.
// Errors are those of [Parse], and of reading.
func Load(uses Uses, paths ...string) (Set, error) {
	var files []File
	for _, path := range paths {
		names, err := filesOf(path)
		if err != nil {
			return Set{}, err
		}
		for _, name := range names {
			text, err := read(name)
			if err != nil {
				return Set{}, err
			}
			files = append(files, File{name, text})
		}
	}
	return Parse(uses, files...)
}

// filesOf returns the path, or the files of the folder that it is.
func filesOf(path string) ([]string, error) {
	about, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read sagas: %w", err)
	}
	if !about.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("read sagas: %w", err)
	}
	var names []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains([]string{".yaml", ".yml", ".json"}, ext) {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	return names, nil
}

// read reads a file, no further than is needed to see that it is too large.
func read(name string) ([]byte, error) {
	about, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read sagas: %w", err)
	}
	if !about.Mode().IsRegular() {
		return nil, fmt.Errorf("read sagas: %s is no file", name)
	}
	if about.Size() > source.MaxSize {
		return nil, &ProblemsError{[]string{fmt.Sprintf("%s: the file has %d bytes, at most %d are read", name, about.Size(), source.MaxSize)}}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read sagas: %w", err)
	}
	return text, nil
}

// unit is a file on its way.
type unit struct {
	book     *source.Book
	root     *source.Node
	name     string // of its saga
	version  string
	children []string
	done     *definition.Definition
	action   saga.AnyAction
	triggers []*trigger
	state    int // 0 new, 1 under way, 2 done
}

// Parse makes sagas and actions of files. A saga may use the actions and start the sagas of the
// program and of the other files. It starts nothing and touches nothing.
//
// It finds everything that is wrong at once: the error is then a [*ProblemsError].
func Parse(uses Uses, files ...File) (Set, error) {
	var set Set
	l, err := newLibrary(uses)
	if err != nil {
		return set, err
	}
	units := make([]*unit, len(files))
	for i, f := range files {
		u := &unit{book: &source.Book{File: f.Name}}
		switch u.root = source.Read(u.book, f.Text); {
		case u.root == nil:
		case isAction(u.root):
			u.action, u.state = readAction(u.book, uses.Calls, u.root), 2
			l.broken[u.root.Get("action").Text] = u.action == nil
			if u.action != nil && !l.addFile(u.action) {
				u.book.Add(u.root.Pos, "action %s is one of the program or of another file already", u.action.ActionName())
			}
		default:
			u.look(u.root)
		}
		units[i] = u
	}
	l.files = make(map[string]bool)
	for _, u := range units {
		l.files[u.name] = true
	}
	for _, u := range units {
		u.compile(l, units)
	}
	var problems []string
	for i, u := range units {
		for _, other := range units[:i] {
			if u.done != nil && other.name == u.name && other.version == u.version {
				u.book.Add(u.root.Pos, "saga %s v%s stands in %s already", u.name, u.version, other.book.File)
			}
		}
		for _, p := range u.book.Problems() {
			problems = append(problems, p.String())
		}
		if u.action != nil {
			set.Actions = append(set.Actions, u.action)
		}
		if u.done != nil {
			s, ok := bridge.Saga(u.done.Plan.Saga, u.done.Plan.Version, u.done).(*Saga)
			if !ok {
				return Set{}, errors.New("package saga gives sagas of another type: this is a defect")
			}
			set.Sagas = append(set.Sagas, s)
			for _, t := range u.triggers {
				set.Triggers = append(set.Triggers, t.of(s))
			}
		}
	}
	if len(problems) > 0 {
		return Set{}, &ProblemsError{problems}
	}
	return set, nil
}

// look finds the name of a file's saga, and those of the sagas that it starts.
func (u *unit) look(n *source.Node) {
	if n == u.root {
		if name := n.Get("saga"); name != nil {
			u.name = name.Text
		}
		if version := n.Get("version"); version != nil {
			u.version = version.Text
		}
	}
	if child := n.Get("child"); child != nil && child.Kind == source.Text {
		u.children = append(u.children, child.Text)
	}
	for _, item := range n.Items {
		u.look(item)
	}
}

// compile compiles the files with the sagas that this one starts, and then this one.
func (u *unit) compile(l *library, all []*unit) {
	if u.root == nil || u.state != 0 {
		return
	}
	u.state = 1
	for _, other := range all {
		if !slices.Contains(u.children, other.name) || other == u {
			continue
		}
		if other.state == 1 {
			u.book.Add(u.root.Pos, "saga %s starts %s, which starts it again: a saga can't be its own child, at any depth", u.name, other.name)
			continue
		}
		other.compile(l, all)
	}
	u.state = 2
	if !u.book.Empty() {
		return
	}
	if u.done, u.triggers = compile(u.book, l, u.root); u.done != nil {
		l.addSaga(u.done)
	}
}
