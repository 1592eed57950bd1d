package cause

import (
	"unicode"
	"unicode/utf8"
)

// The marks.
const (
	number = "#"
	id     = "<id>"
	moment = "<time>"
	ip     = "<ip>"
	email  = "<email>"
	quoted = `"…"`
)

// output is a cause as it is written.
type output struct {
	out []rune
	// mark is the last mark, and markEnd is where it ends in out; only separators follow it there.
	mark    string
	markEnd int
}

// plain writes a character that is part of no word.
func (o *output) plain(r rune) {
	o.out = append(o.out, r)
	if r != ' ' && r != ',' && r != ';' {
		o.mark = ""
	}
}

// text writes a word as it is.
func (o *output) text(s string) {
	o.out = append(o.out, []rune(s)...)
	o.mark = ""
}

// put writes a mark. Of a list of the same marks one is left, because lists have different lengths;
// of a date in several words, too.
func (o *output) put(mark string) {
	dated := o.mark == moment && mark == number || o.mark == number && mark == moment
	switch {
	case o.mark == mark && o.markEnd < len(o.out), o.mark == moment && dated:
		o.out = o.out[:o.markEnd]
		return
	case dated:
		o.out = o.out[:o.markEnd-len(number)]
	}
	o.out = append(o.out, []rune(mark)...)
	o.mark, o.markEnd = mark, len(o.out)
}

// visible returns the characters of a text that can be seen, with one blank for each row of blanks.
func visible(s string) []rune {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		switch {
		case r == utf8.RuneError, unicode.IsSpace(r), unicode.IsControl(r):
			r = ' '
		case !unicode.IsPrint(r): // marks of direction, joiners, what has no glyph
			continue
		}
		if r != ' ' || len(out) > 0 && out[len(out)-1] != ' ' {
			out = append(out, r)
		}
	}
	return out
}

func letterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// wordly reports whether a character can begin a word.
func wordly(r rune) bool { return letterOrDigit(r) || r == '_' }
