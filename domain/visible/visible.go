package visible

import (
	"fmt"
	"strings"
)

// Text writes a text of several lines: line ends and tabs stay, other hidden characters are written
// as in JSON, such as \u202e.
func Text(s string) string {
	return write(s, func(r rune) bool { return r != '\n' && r != '\t' && hidden(r) })
}

// Line writes a text on one line: line ends and tabs are written as \n and \t, too.
func Line(s string) string { return write(s, hidden) }

// write writes out the characters for which out is true.
func write(s string, out func(rune) bool) string {
	if !strings.ContainsFunc(s, out) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !out(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// hidden reports whether a character is a control character, has no width, or turns text round. The
// joiners of emoji and scripts have no width either, and are part of how words look.
func hidden(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r == 0x061c, r == 0x200b, r == 0x200e, r == 0x200f, r == 0x2060, r == 0xfeff:
		return true
	}
	return r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
