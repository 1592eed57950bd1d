package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file. Lines and columns count from 1; a column counts characters. The zero
// Pos stands for the file as a whole.
type Pos struct{ Line, Col int }

// Problem is one thing wrong with a file.
type Problem struct {
	File string
	Pos
	Text string
}

// String tells the problem after its place.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Text)
}

// maxProblems bounds what is told of one file: whoever reads it mends the first ones first.
const maxProblems = 100

// maxText bounds the text of one problem, in bytes.
const maxText = 1_000

// Book collects the problems of one file.
type Book struct {
	File string
	list []Problem
}

// Add notes a problem.
func (b *Book) Add(at Pos, format string, args ...any) {
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + " …"
	}
	p := Problem{b.File, at, text}
	if len(b.list) < maxProblems && !slices.Contains(b.list, p) {
		b.list = append(b.list, p)
	}
}

// Empty reports whether nothing is wrong so far.
func (b *Book) Empty() bool { return len(b.list) == 0 }

// Problems returns what was noted, sorted by place.
func (b *Book) Problems() []Problem {
	slices.SortStableFunc(b.list, func(x, y Problem) int {
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col))
	})
	return b.list
}
