package format

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/atonehq/atone/domain/visible"
)

// maxShown bounds how much of a payload a page shows, in bytes.
const maxShown = 64 << 10

// maxColoured bounds the payloads that are coloured, in bytes: each part is a node for the browser.
const maxColoured = 16 << 10

// asWritten also reads payloads that older programs recorded unchecked, with members given twice or
// bytes that are not UTF-8.
var asWritten = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// Payload writes a payload as indented JSON with its parts marked for colouring. Everything in the
// payload is escaped.
func Payload(payload json.RawMessage) template.HTML {
	indented := jsontext.Value(payload).Clone()
	if indented.Indent(jsontext.WithIndent("  ")) != nil {
		plain := template.HTMLEscapeString(cut(visible.Text(string(payload))))
		return template.HTML(plain) //nolint:gosec // escaped in the line above
	}
	text := cut(visible.Text(visible.AsWritten(json.RawMessage(indented))))
	if len(text) > maxColoured {
		plain := template.HTMLEscapeString(text)
		return template.HTML(plain) //nolint:gosec // escaped in the line above
	}
	var out strings.Builder
	escape := func(part string) { out.WriteString(template.HTMLEscapeString(part)) }
	written := 0
	for d := jsontext.NewDecoder(strings.NewReader(text), asWritten...); ; {
		class := classOf(d)
		if class == "" {
			if _, err := d.ReadToken(); err != nil {
				break // the end, or where the text was cut
			}
			continue
		}
		value, err := d.ReadValue()
		if err != nil {
			break
		}
		end := int(d.InputOffset())
		escape(text[written : end-len(value)])
		out.WriteString(`<i class="` + class + `">`)
		escape(string(value))
		out.WriteString(`</i>`)
		written = end
	}
	escape(text[written:])
	return template.HTML(out.String()) //nolint:gosec // every part is escaped above
}

// classOf returns the class of the next token, "" for brackets and braces.
func classOf(d *jsontext.Decoder) string {
	switch d.PeekKind() {
	case '"':
		if kind, length := d.StackIndex(d.StackDepth()); kind == '{' && length%2 == 0 {
			return "jk"
		}
		return "js"
	case '0':
		return "jn"
	case 't', 'f', 'n':
		return "jl"
	}
	return ""
}

// maxBrief bounds the beginning of a payload that a list shows, in characters.
const maxBrief = 60

// Brief writes the beginning of a payload on one line.
func Brief(payload json.RawMessage) string {
	begin := visible.AsWritten(payload[:min(len(payload), 8*maxBrief)])
	text := []rune(visible.Line(strings.Join(strings.Fields(begin), " ")))
	if len(text) <= maxBrief {
		return string(text)
	}
	return string(text[:maxBrief]) + "…"
}

// Cut reports whether [Payload] leaves a part of the payload out.
func Cut(payload json.RawMessage) bool { return len(payload) > maxShown }

// cut shortens a text to [maxShown] and says how much is left out.
func cut(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + fmt.Sprintf("\n… %d more bytes", len(s)-maxShown)
}
