package choice

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/desk"
)

// Act reads what a form wants done: act is note, take, assign, snooze or wake; reason is the note,
// or why; to is the next assignee, for how long the snooze lasts. ok is false for another act. me
// is the person. An error says what to fill in.
func Act(form url.Values, me string, now time.Time) (act desk.Act, ok bool, err error) {
	act.Text = strings.TrimSpace(form.Get("reason"))
	switch form.Get("act") {
	case "note":
		act.Kind = desk.Note
		if act.Text == "" {
			return act, true, errors.New("write the note into the field for the reason")
		}
	case "take":
		act.Kind, act.To = desk.Assign, me
	case "assign":
		act.Kind, act.To = desk.Assign, strings.TrimSpace(form.Get("to"))
	case "snooze":
		act.Kind = desk.Snooze
		lasts, err := accept.ParseAge(form.Get("for"))
		if err != nil || lasts <= 0 {
			return act, true, errors.New("say how long the snooze lasts, such as 2h or 1d")
		}
		act.Until = now.Add(lasts)
	case "wake":
		act.Kind = desk.Snooze
	default:
		return act, false, nil
	}
	if err := act.Validate(now); err != nil {
		return act, true, fmt.Errorf("nothing was done: %w", err)
	}
	return act, true, nil
}
