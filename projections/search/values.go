package search

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runs"
)

// known returns the names that the value stands for: itself, or all that begin so. Where the names
// are known, the value must be one of them.
func known(names Names, of runs.Of, what string, p *part) ([]string, error) {
	if !p.open {
		return []string{p.value}, names.check(of, what, []string{p.value})
	}
	list := names.all(of)
	if list == nil {
		return nil, fmt.Errorf("the names of %ss are not known here: give the whole name", what)
	}
	found := begun(list, p.value)
	if len(found) == 0 {
		return nil, fmt.Errorf("no %s begins with %s%s", what, p.value, didYouMean(p.value, list))
	}
	return found, nil
}

// number reads a whole number.
func number(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is no number: write digits", text)
	}
	return n, nil
}

// version reads a version: 2, or v2.
func version(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(text, "v"))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("versions are numbers from 1 up: write version:2")
	}
	return n, nil
}

// WholeID returns the run whose id is the whole text; ok is false for any other text.
func WholeID(text string) (id domain.RunID, ok bool) {
	text = strings.TrimSpace(text)
	id, err := uuid.Parse(text)
	return id, err == nil && len(text) == 36
}

// comparison takes <, <=, > or >= off the beginning of a value.
func comparison(text string) (op, rest string) {
	for _, op := range []string{"<=", ">=", "<", ">"} {
		if rest, ok := strings.CutPrefix(text, op); ok {
			return op, rest
		}
	}
	return "", text
}

// layouts are the forms of times besides ages. Those without a zone are in the reader's.
var layouts = []string{time.RFC3339Nano, time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateTime}

// when reads a day, a time, or how long ago something was (90m, 3h, 2d).
func when(text string, now time.Time) (time.Time, error) {
	if ago, err := accept.ParseAge(text); err == nil {
		if whole := ago % (24 * time.Hour); whole == 0 && strings.HasSuffix(text, "d") {
			// By the calendar, over changes of the clock.
			return now.AddDate(0, 0, -int(ago/(24*time.Hour))), nil
		}
		return now.Add(-ago), nil
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			if t.IsZero() {
				t = t.Add(1) // the zero time means "no time"
			}
			return t, accept.Time("it", t)
		}
	}
	return time.Time{}, fmt.Errorf("%s is not a time: write how long ago (90m, 24h, 7d), a date (2026-01-31), or RFC 3339 (2026-01-31T08:00:00Z)", text)
}

// bounds narrows a period by the conditions since, until and age, or ended-since and ended-until.
func bounds(p *part, now time.Time, from, to *time.Time) error {
	op, text := "", p.value
	if p.name == "age" {
		op, text = comparison(p.value)
		if _, err := accept.ParseAge(text); err != nil {
			return fmt.Errorf("%s is not a duration: write age:>2h, or age:<7d", text)
		}
		if op == "" {
			return fmt.Errorf("say longer or shorter: write age:>%s or age:<%s", p.value, p.value)
		}
	}
	t, err := when(text, now)
	switch {
	case err != nil:
		return err
	case strings.HasSuffix(p.name, "since"), op == "<", op == "<=":
		if from.IsZero() || t.After(*from) {
			*from = t
		}
	case to.IsZero() || t.Before(*to):
		*to = t
	}
	return nil
}

// Period reads since and until as the conditions of those names; an empty text is no bound.
func Period(since, until string, now time.Time) (from, to time.Time, err error) {
	for _, b := range []struct {
		name, text string
		at         *time.Time
	}{{"since", since, &from}, {"until", until, &to}} {
		if text := strings.TrimSpace(b.text); text != "" {
			t, bad := when(text, now)
			if *b.at = t; bad != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", b.name, bad))
			}
		}
	}
	return from, to, err
}

// InZone writes the dates and times without a zone in a text with the zone's, so that a reader
// elsewhere takes them as they were meant. A text that can't be read comes back as it is.
func InZone(text string, zone *time.Location) string {
	parts, err := split(text)
	if err != nil {
		return text
	}
	now := time.Now().In(zone)
	var out []string
	for _, p := range parts {
		if strings.HasSuffix(p.name, "since") || strings.HasSuffix(p.name, "until") {
			_, ago := accept.ParseAge(p.value)
			if t, err := when(p.value, now); err == nil && ago != nil {
				p.raw = Condition(p.name, t.Format(time.RFC3339Nano))
			}
		}
		out = append(out, p.raw)
	}
	return strings.Join(out, " ")
}

// addWords adds words to a text.
func addWords(text *string, words string) error {
	if projections.Words(words) == "" {
		return errors.New(`words have letters or digits: write text:"card gone"`)
	}
	*text = strings.TrimSpace(*text + " " + words)
	return nil
}
