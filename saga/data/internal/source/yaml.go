package source

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// readYAML reads the one document of a file.
func readYAML(b *Book, text []byte) *Node {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		b.Add(Pos{}, "%v", err)
		return nil
	}
	var doc, next yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) {
		b.Add(Pos{}, "the file is empty")
		return nil
	} else if err != nil {
		b.told(err)
		return nil
	}
	if err := loader.Load(&next); err == nil {
		b.Add(Pos{max(next.Line, 1), max(next.Column, 1)}, "the file has several documents: give each saga a file of its own")
		return nil
	} else if !errors.Is(err, io.EOF) {
		b.told(err)
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		b.Add(Pos{}, "the file is empty")
		return nil
	}
	w := walk{book: b, lines: strings.Split(string(text), "\n")}
	return w.node(doc.Content[0], 1)
}

// told notes an error of the parser.
func (b *Book) told(err error) {
	var e *yaml.LoadError
	if errors.As(err, &e) {
		b.Add(Pos{max(e.Mark.Line, 1), max(e.Mark.Column, 1)}, "the YAML can't be read: %s", e.Message)
		return
	}
	b.Add(Pos{}, "the YAML can't be read: %v", err)
}

// walk turns the parser's nodes into ours.
type walk struct {
	book  *Book
	lines []string
}

func (w *walk) node(y *yaml.Node, depth int) *Node {
	n := &Node{Pos: Pos{y.Line, y.Column}}
	switch {
	case depth > MaxDepth:
		w.book.Add(n.Pos, "it is more than %d levels deep", MaxDepth)
		return n
	case y.Kind == yaml.AliasNode:
		w.book.Add(n.Pos, "aliases (*%s) are not supported: write the value out", y.Value)
		return n
	case y.Anchor != "":
		w.book.Add(n.Pos, "anchors (&%s) are not supported: write the value out where it is needed", y.Anchor)
	case y.Style&yaml.TaggedStyle != 0:
		w.book.Add(n.Pos, "tags (%s) are not supported: quote a value to make it a text", y.Tag)
	}
	switch y.Kind {
	case yaml.SequenceNode:
		n.Kind = List
		for _, item := range y.Content {
			n.Items = append(n.Items, w.node(item, depth+1))
		}
	case yaml.MappingNode:
		n.Kind = Map
		seen := make(map[string]bool)
		for i := 0; i+1 < len(y.Content); i += 2 {
			w.member(n, seen, y.Content[i], y.Content[i+1], depth)
		}
	case yaml.ScalarNode:
		w.scalar(n, y)
	default:
		w.book.Add(n.Pos, "the YAML has a part that is no value")
	}
	return n
}

// member adds a member to a map.
func (w *walk) member(n *Node, seen map[string]bool, key, value *yaml.Node, depth int) {
	k := w.node(key, depth+1)
	switch {
	case key.Kind != yaml.ScalarNode:
		w.book.Add(k.Pos, "a name must be a text")
	case k.Kind == Null:
		w.book.Add(k.Pos, "a name is missing")
	}
	k.Kind = Text
	if seen[k.Text] {
		w.book.Add(k.Pos, "%q is given twice", k.Text)
	}
	seen[k.Text] = true
	n.Keys, n.Items = append(n.Keys, k), append(n.Items, w.node(value, depth+1))
}

// scalar reads a value that is neither a list nor a map.
func (w *walk) scalar(n *Node, y *yaml.Node) {
	n.inner = n.Pos
	quoted := y.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)
	n.block = y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch {
	case n.block:
		n.Kind, n.Text, n.inner = Text, y.Value, Pos{n.Line + 1, 1}
	case quoted != 0:
		n.Kind, n.Text, n.inner = Text, y.Value, Pos{n.Line, n.Col + 1}
	default:
		if why := n.plain(y.Value); why != "" {
			w.book.Add(n.Pos, "%s", why)
		}
	}
	// A NUL or another character that no terminal shows would come back from no view.
	if strings.ContainsRune(n.Text, 0) {
		w.book.Add(n.Pos, "the text holds a NUL character")
	}
}
