package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readJSON reads a file of JSON.
func readJSON(b *Book, text []byte) *Node {
	r := &reader{book: b, text: text, dec: json.NewDecoder(bytes.NewReader(text)), line: 1}
	r.dec.UseNumber()
	root := r.value(1)
	if !b.Empty() {
		return nil
	}
	at := r.next()
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		b.Add(at, "something follows the value")
	}
	return root
}

// reader reads JSON token by token.
type reader struct {
	book *Book
	text []byte
	dec  *json.Decoder
	// Lines are counted as far as seen; start is where the line begins.
	seen, line, start int
}

// next returns where the next token begins.
func (r *reader) next() Pos {
	at := int(r.dec.InputOffset())
	for at < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[at]) >= 0 {
		at++
	}
	for ; r.seen < at; r.seen++ {
		if r.text[r.seen] == '\n' {
			r.line, r.start = r.line+1, r.seen+1
		}
	}
	return Pos{r.line, utf8.RuneCount(r.text[r.start:at]) + 1}
}

// value reads the next value. Once the book has a problem, nothing more is read.
func (r *reader) value(depth int) *Node {
	at := r.next()
	token, err := r.dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it ends too early")
		}
		r.book.Add(at, "the JSON can't be read: %v", err)
		return nil
	}
	n := &Node{Pos: at, inner: Pos{at.Line, at.Col + 1}}
	switch t := token.(type) {
	case nil:
		n.Kind, n.Text = Null, "null"
	case bool:
		n.Kind, n.Text = Bool, strconv.FormatBool(t)
	case json.Number:
		if why := n.plain(t.String()); why != "" {
			r.book.Add(at, "%s", why)
		}
	case string:
		n.Kind, n.Text = Text, t
	case json.Delim:
		if depth > MaxDepth {
			r.book.Add(at, "it is more than %d levels deep", MaxDepth)
			return nil
		}
		r.inside(n, t, depth)
	}
	return n
}

// inside reads the items of a list, or the members of a map.
func (r *reader) inside(n *Node, open json.Delim, depth int) {
	n.Kind = List
	if open == '{' {
		n.Kind = Map
	}
	seen := make(map[string]bool)
	for r.dec.More() {
		if n.Kind == Map {
			key := r.value(depth + 1)
			if !r.book.Empty() {
				return
			}
			if seen[key.Text] {
				r.book.Add(key.Pos, "%q is given twice", key.Text)
				return
			}
			seen[key.Text], n.Keys = true, append(n.Keys, key)
		}
		item := r.value(depth + 1)
		if !r.book.Empty() {
			return
		}
		n.Items = append(n.Items, item)
	}
	at := r.next()
	if _, err := r.dec.Token(); err != nil {
		r.book.Add(at, "the JSON can't be read: %v", err)
	}
}
