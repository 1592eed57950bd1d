package format

import (
	"regexp"
	"strings"
	"time"
)

// Span is a part of a sentence: words or, if At is set, an instant, which the reader's browser
// shows in its own time zone.
type Span struct {
	Text string
	At   time.Time
}

// mark stands before and after an instant in a sentence. It occurs in no other text.
const mark = "\x00"

// Mark writes an instant so that [Spans] recognises it.
func Mark(t time.Time) string { return mark + t.UTC().Format(time.RFC3339Nano) + mark }

// Spans splits a sentence at the instants that [Mark] wrote.
func Spans(sentence string) []Span {
	var out []Span
	for i, part := range strings.Split(sentence, mark) {
		at, err := time.Parse(time.RFC3339Nano, part)
		if i%2 == 0 || err != nil {
			at = time.Time{}
		}
		if part != "" {
			out = append(out, Span{Text: part, At: at})
		}
	}
	return out
}

// Lead is the beginning of a sentence: its first line, at most n characters of it. Instants count
// for nothing. Plain is the whole sentence without marks if the lead lacks some of it, else it is
// empty.
func Lead(sentence string, n int) (lead, plain string) {
	var short, whole strings.Builder
	cut := false
	for _, s := range Spans(sentence) {
		if !s.At.IsZero() {
			whole.WriteString(Clock(s.At))
			if !cut {
				short.WriteString(Mark(s.At))
			}
			continue
		}
		whole.WriteString(s.Text)
		if cut {
			continue
		}
		line, _, more := strings.Cut(s.Text, "\n")
		text := Clip(line, max(n, 1))
		cut = more || text != line
		n -= len([]rune(text))
		short.WriteString(text)
		if more && text == line {
			short.WriteString("…")
		}
	}
	if cut {
		plain = whole.String()
	}
	return short.String(), plain
}

// until finds the instants that notes have in UTC.
var until = regexp.MustCompile(`\buntil \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// Zoned marks the instants in the note of an act, such as "until 2026-01-02T03:04:05Z", for
// [Spans].
func Zoned(note string) string {
	return until.ReplaceAllStringFunc(note, func(text string) string {
		at, err := time.Parse(time.RFC3339, strings.TrimPrefix(text, "until "))
		if err != nil { // such as a 99th month
			return text
		}
		return "until " + Mark(at)
	})
}
