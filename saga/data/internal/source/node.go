package source

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is what a node is.
type Kind uint8

// The kinds of node.
const (
	Null Kind = iota
	Bool
	Int
	Float
	Text
	List
	Map
)

// String names the kind for people.
func (k Kind) String() string {
	return [...]string{"nothing", "true or false", "an integer", "a number", "text", "a list", "a map"}[k]
}

// Node is a value of a file.
type Node struct {
	Kind
	Pos
	// Text is that of a text; of other scalars it is their JSON.
	Text string
	// Keys are the names of a map's members, and Items their values, or those of a list.
	Keys, Items []*Node
	// inner is where Text begins, and block that it is a text of whole lines.
	inner Pos
	block bool
}

// Get returns the member of a map with the name, or nil.
func (n *Node) Get(name string) *Node {
	for i, k := range n.Keys {
		if k.Text == name {
			return n.Items[i]
		}
	}
	return nil
}

// Place returns where the byte of the text at the offset stands, as far as quotes and line breaks
// let it be known.
func (n *Node) Place(offset int) Pos {
	before := n.Text[:min(offset, len(n.Text))]
	at := n.inner
	if at.Line == 0 {
		at = n.Pos
	}
	lines := strings.Count(before, "\n")
	switch {
	case n.block:
		return Pos{at.Line + lines, 1}
	case lines > 0:
		return at
	}
	return Pos{at.Line, at.Col + utf8.RuneCountInString(before)}
}

// JSON writes the node as JSON, the members of maps sorted by name: two files that say the same
// give the same bytes.
func (n *Node) JSON() json.RawMessage {
	var b bytes.Buffer
	n.write(&b)
	return b.Bytes()
}

func (n *Node) write(b *bytes.Buffer) {
	switch n.Kind {
	case Text:
		b.Write(Quoted(n.Text))
	case List:
		b.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.write(b)
		}
		b.WriteByte(']')
	case Map:
		order := make([]int, len(n.Keys))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(i, j int) int { return strings.Compare(n.Keys[i].Text, n.Keys[j].Text) })
		b.WriteByte('{')
		for at, i := range order {
			if at > 0 {
				b.WriteByte(',')
			}
			b.Write(Quoted(n.Keys[i].Text))
			b.WriteByte(':')
			n.Items[i].write(b)
		}
		b.WriteByte('}')
	default:
		b.WriteString(n.Text)
	}
}

// Quoted returns a text as JSON.
func Quoted(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string can always be written
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
