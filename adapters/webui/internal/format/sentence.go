package format

import (
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
