package desk

import (
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// Kind says what an act does.
type Kind string

// The acts.
const (
	// Note adds a text. It is the one act that a run without open incidents takes, too.
	Note Kind = "note"
	// Assign says who looks after the incidents.
	Assign Kind = "assign"
	// Snooze hides the incidents until a time.
	Snooze Kind = "snooze"
)

// LongestSnooze bounds a snooze.
const LongestSnooze = 366 * 24 * time.Hour

// Act is what a person does to incidents.
type Act struct {
	Kind Kind
	// Text is the note, or the reason of another act, at most 16 KiB. A note must have one.
	Text string
	// To is who looks after the incidents from now on; empty means nobody.
	To string
	// Until is when the snooze ends, later than now and at most 366 days ahead. The zero time ends
	// a snooze now.
	Until time.Time
}

// Validate reports everything that is wrong with the act, as [domain.ErrBadInput].
func (a *Act) Validate(now time.Time) error {
	var errs []error
	what := "the reason"
	switch a.Kind {
	case Note:
		if what = "the note"; a.Text == "" {
			errs = append(errs, errors.New("the note is empty: write what others should know"))
		}
	case Assign:
		errs = append(errs, accept.OptionalName("the name", a.To, accept.MaxName))
	case Snooze:
		if !a.Until.IsZero() && !a.Until.After(now) {
			errs = append(errs, fmt.Errorf("a snooze ends later than now, and %s is over: leave the end out to end a snooze", a.Until.UTC().Format(time.RFC3339)))
		}
		if a.Until.After(now.Add(LongestSnooze)) {
			errs = append(errs, fmt.Errorf("a snooze ends after at most 366 days, not on %s", a.Until.Format(time.DateOnly)))
		}
	default:
		errs = append(errs, fmt.Errorf("no such act: %.50q: use %s, %s or %s", a.Kind, Note, Assign, Snooze))
	}
	if err := errors.Join(append(errs, accept.Text(what, a.Text))...); err != nil {
		return fmt.Errorf("%w: %w", domain.ErrBadInput, err)
	}
	return nil
}

// endOf returns the end of a snooze as it is recorded: none if it is over.
func endOf(t, now time.Time) time.Time {
	if !t.After(now) {
		return time.Time{}
	}
	return t.UTC().Round(0)
}
