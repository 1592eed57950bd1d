package search

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/atonehq/atone/domain/accept"
)

// answer says what a search makes of a part of its text.
type answer int

const (
	// word is a part that is looked for as it is written.
	word answer = iota
	// taken is a condition that narrows the search.
	taken
	// bad is a condition whose value could not be understood.
	bad
)

// good is [taken] where the value is good, else [bad].
func good(value bool) answer {
	if value {
		return taken
	}
	return bad
}

// read splits a text into parts and asks what each is, by its name and value; a plain word has no
// name. It returns the words, and the conditions that were bad.
func read(text string, condition func(name, value string) answer) (words string, wrong []string) {
	if !utf8.ValidString(text) { // nothing that was recorded could match
		return "", []string{strings.ToValidUTF8(text, string(utf8.RuneError))}
	}
	var list []string
	for _, part := range fields(text) {
		name, value, _ := strings.Cut(part, ":")
		if value == "" {
			name, value = "", part
		}
		switch condition(name, value) {
		case taken:
		case bad:
			wrong = append(wrong, part)
		default:
			list = append(list, part)
		}
	}
	return strings.Join(list, " "), wrong
}

// period reads the conditions since and until.
func period(name, value string, now time.Time, from, to *time.Time) answer {
	if name != "since" && name != "until" {
		return word
	}
	t, err := when(value, now)
	if err != nil {
		return bad
	}
	if name == "since" {
		*from = t
	} else {
		*to = t
	}
	return taken
}

// when reads a day, a time, or how long ago something was (90m, 3h, 2d).
func when(text string, now time.Time) (time.Time, error) {
	if ago, err := accept.ParseAge(text); err == nil {
		if whole := ago % (24 * time.Hour); whole == 0 && strings.HasSuffix(text, "d") {
			// By the calendar, over changes of the clock.
			return now.AddDate(0, 0, -int(ago/(24*time.Hour))), nil
		}
		return now.Add(-ago), nil
	}
	var t time.Time
	var err error
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", time.RFC3339} {
		if t, err = time.ParseInLocation(layout, text, now.Location()); err == nil {
			if t.IsZero() {
				t = t.Add(1) // the zero time means "no time"
			}
			return t, accept.Time("it", t)
		}
	}
	return t, err
}

// fields splits a text at the spaces that are not within quotes, and takes the quotes away.
func fields(text string) []string {
	var out []string
	var b strings.Builder
	quoted, some := false, false
	for _, r := range text {
		switch {
		case r == '"':
			quoted, some = !quoted, true
		case r == ' ' && !quoted:
			if some {
				out = append(out, b.String())
				b.Reset()
				some = false
			}
		default:
			b.WriteRune(r)
			some = true
		}
	}
	if some {
		out = append(out, b.String())
	}
	return out
}
