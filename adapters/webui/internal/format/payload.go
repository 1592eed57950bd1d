package format

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxShown bounds how much of a payload a page shows, in bytes.
const maxShown = 64 << 10

// asWritten reads what was recorded before payloads were checked: members twice, bytes that are not
// UTF-8.
var asWritten = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// Payload writes a payload as indented JSON with its parts marked for colouring. Everything in the
// payload is escaped.
func Payload(payload json.RawMessage) template.HTML {
	indented := jsontext.Value(payload).Clone()
	if indented.Indent(jsontext.WithIndent("  ")) != nil {
		plain := template.HTMLEscapeString(cut(visible(string(payload))))
		return template.HTML(plain) //nolint:gosec // escaped in the line above
	}
	text := cut(visible(string(indented)))
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
	begin := string(payload[:min(len(payload), 8*maxBrief)])
	text := []rune(visible(strings.Join(strings.Fields(begin), " ")))
	if len(text) <= maxBrief {
		return string(text)
	}
	return string(text[:maxBrief]) + "…"
}

// cut shortens a text to [maxShown] and says how much is left out.
func cut(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + fmt.Sprintf("\n… %d more bytes", len(s)-maxShown)
}

// visible replaces characters that would turn or hide text.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if TurnsText(r) || r < 0x20 && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, s)
}

// TurnsText reports whether a character changes the direction of the text around it.
func TurnsText(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}
