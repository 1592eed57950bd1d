package webui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"
)

// maxShown bounds how much of a payload a page shows, in bytes.
const maxShown = 64 << 10

// pretty writes a payload as indented JSON with its parts marked for colouring. Whatever the
// payload holds is escaped.
func pretty(payload json.RawMessage) template.HTML {
	var b bytes.Buffer
	if json.Indent(&b, payload, "", "  ") != nil {
		b.Reset()
		b.Write(payload)
		return template.HTML(template.HTMLEscapeString(cut(visible(b.String())))) //nolint:gosec // escaped right here
	}
	text := cut(visible(b.String()))
	var out strings.Builder
	for text != "" {
		n, class := token(text)
		part := template.HTMLEscapeString(text[:n])
		if class == "" {
			out.WriteString(part)
		} else {
			out.WriteString(`<i class="` + class + `">` + part + `</i>`)
		}
		text = text[n:]
	}
	return template.HTML(out.String()) //nolint:gosec // every part is escaped above
}

func cut(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + fmt.Sprintf("\n… %d more bytes", len(s)-maxShown)
}

// visible replaces characters that would turn or hide text.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case turnsText(r), r < 0x20 && r != '\n' && r != '\t':
			return utf8.RuneError
		}
		return r
	}, s)
}

// token returns the length of the JSON token that the text begins with, and its class.
func token(s string) (n int, class string) {
	switch c := s[0]; {
	case c == '"':
		n = 1
		for n < len(s) && s[n] != '"' {
			if s[n] == '\\' {
				n++
			}
			n++
		}
		n = min(n+1, len(s))
		if strings.HasPrefix(s[n:], ":") {
			return n, "jk"
		}
		return n, "js"
	case c == '-' || c >= '0' && c <= '9':
		for n < len(s) && strings.IndexByte("+-.eE0123456789", s[n]) >= 0 {
			n++
		}
		return n, "jn"
	case c >= 'a' && c <= 'z':
		for n < len(s) && s[n] >= 'a' && s[n] <= 'z' {
			n++
		}
		return n, "jl"
	}
	if n = strings.IndexAny(s[1:], "\"-0123456789abcdefghijklmnopqrstuvwxyz"); n < 0 {
		return len(s), ""
	}
	return n + 1, ""
}

// maxBrief bounds the beginning of a payload that a list shows, in characters.
const maxBrief = 60

// brief returns the beginning of a payload on one line.
func brief(payload json.RawMessage) string {
	begin := string(payload[:min(len(payload), 8*maxBrief)])
	text := []rune(visible(strings.Join(strings.Fields(begin), " ")))
	if len(text) <= maxBrief {
		return string(text)
	}
	return string(text[:maxBrief]) + "…"
}
