package source

import (
	"bytes"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// The bounds of a file.
const (
	// MaxSize is how large it may be, in bytes.
	MaxSize = 1 << 20
	// MaxDepth is how deep lists and maps may be in one another.
	MaxDepth = 64
)

// Read reads a file, as JSON where its name ends in .json, else as YAML. It returns nil where the
// book then has a problem.
func Read(b *Book, text []byte) *Node {
	if len(text) > MaxSize {
		b.Add(Pos{}, "the file has %d bytes, at most %d are read", len(text), MaxSize)
		return nil
	}
	if !utf8.Valid(text) {
		b.Add(Pos{}, "the file is not UTF-8")
		return nil
	}
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		b.Add(Pos{1, 1}, "the file begins with a byte order mark: save it without one")
		return nil
	}
	var root *Node
	if strings.EqualFold(filepath.Ext(b.File), ".json") {
		root = readJSON(b, text)
	} else {
		root = readYAML(b, text)
	}
	if !b.Empty() {
		return nil
	}
	return root
}
