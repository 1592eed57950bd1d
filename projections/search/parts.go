package search

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/atonehq/atone/projections/runs"
)

// part is a piece of a text, between spaces that are not in quotes.
type part struct {
	// raw is the part as it was typed, from is where it begins in the text, in bytes.
	raw  string
	from int
	// name is what stands before the first colon; it is empty for words.
	name string
	// value is the rest, without quotes.
	value string
	// open means that a * ended the value outside of quotes: values that begin so are meant.
	open bool
}

// Errors of taking a text apart.
var (
	errNotUTF8  = errors.New("it is not valid UTF-8")
	errNoQuote  = errors.New(`a quote is not closed: write "…", and \" for a quote in it`)
	errTooLong  = errors.New("it is too long: at most 2,000 bytes fit")
	errManyPart = errors.New("it has too many conditions: at most 50 fit")
)

// The largest text, and how many parts it has.
const (
	maxText  = 2000
	maxParts = 50
)

// split takes a text apart. Where it fails, it returns the parts up to there.
func split(text string) (parts []part, err error) {
	switch {
	case len(text) > maxText:
		return nil, errTooLong
	case !utf8.ValidString(text):
		return nil, errNotUTF8
	}
	for at := 0; ; {
		for at < len(text) {
			r, size := utf8.DecodeRuneInString(text[at:])
			if !unicode.IsSpace(r) {
				break
			}
			at += size
		}
		if at == len(text) {
			return parts, nil
		}
		p, end, closed := next(text, at)
		parts = append(parts, p)
		if !closed {
			return parts, errNoQuote
		}
		if len(parts) > maxParts {
			return nil, errManyPart
		}
		at = end
	}
}

// next reads the part that begins at the place. closed is false where a quote in it does not end.
func next(text string, from int) (p part, end int, closed bool) {
	var b strings.Builder
	quoted, anyQuote, star := false, false, false
	at := from
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		if unicode.IsSpace(r) && !quoted {
			break
		}
		at += size
		star = false
		switch {
		case r == '"':
			quoted, anyQuote = !quoted, true
		case r == '\\' && quoted && at < len(text) && (text[at] == '"' || text[at] == '\\'):
			b.WriteByte(text[at])
			at++
		case r == ':' && !quoted && !anyQuote && p.name == "" && b.Len() > 0:
			p.name = b.String()
			b.Reset()
		default:
			star = r == '*' && !quoted
			b.WriteRune(r)
		}
	}
	p.raw, p.from, p.value = text[from:at], from, b.String()
	if star && p.name != "" {
		p.open, p.value = true, strings.TrimSuffix(p.value, "*")
	}
	return p, at, !quoted
}

// Condition writes a condition as it is read, with quotes where the value needs them.
func Condition(name, value string) string { return name + ":" + quote(value, name == "") }

// Match writes a match on runs as a condition.
func Match(m *runs.Match) string {
	name, value := string(m.On), m.Value
	switch m.On {
	case runs.OnLabel:
		value = m.Name + "=" + m.Value
	case runs.OnField:
		name = "." + m.Name
	}
	if !m.Begins {
		return Condition(name, value)
	}
	if value != "" {
		value = quote(value, false)
	}
	return name + ":" + value + "*"
}

// quote puts a text in quotes where it would else be read in another way.
func quote(text string, words bool) string {
	plain := text != "" && !strings.HasSuffix(text, "*") && !strings.ContainsFunc(text, func(r rune) bool {
		return r == '"' || unicode.IsSpace(r) || words && r == ':'
	})
	if plain {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
