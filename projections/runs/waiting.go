package runs

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
)

// Waiting says in a sentence what an unfinished run waits for: the most telling of its
// steps, and how many more there are. It is empty for a run that has ended.
func (r *Row) Waiting(now time.Time) string {
	switch {
	case r.State.Ended():
		return ""
	case r.Paused != "":
		return "paused: " + r.Paused
	}
	best := -1
	for i := range r.Steps {
		if best < 0 || urgency[r.Steps[i].Kind] > urgency[r.Steps[best].Kind] {
			best = i
		}
	}
	if best >= 0 && r.Steps[best].Kind == WaitsPerson {
		return r.Steps[best].waiting(now) + r.others()
	}
	if r.Blocked != "" {
		return r.Blocked
	}
	if best < 0 {
		return "nothing is in flight: the coordinator is to take the next step"
	}
	return r.Steps[best].waiting(now) + r.others()
}

func (r *Row) others() string {
	if n := len(r.Steps) + r.More - 1; n > 0 {
		return fmt.Sprintf(" (and %d more)", n)
	}
	return ""
}

// urgency orders what is worth telling first.
var urgency = map[StepKind]int{
	WaitsPerson: 8, WaitsRetry: 7, WaitsProbe: 6, WaitsOutcome: 5, WaitsChild: 4, WaitsEvent: 3, WaitsSignal: 2, WaitsTimer: 1,
}

func (s *Step) waiting(now time.Time) string {
	name := s.Step
	if s.Direction == domain.Undo {
		name = "undo of " + name
	}
	var text string
	switch s.Kind {
	case WaitsPerson:
		text = "stuck: " + name + " failed"
		if s.Attempt > 1 {
			text += fmt.Sprintf(" %d times", s.Attempt)
		}
		return text + ": " + s.Error + "; retry, skip or resolve"
	case WaitsRetry:
		return fmt.Sprintf("%s: %s %d%s after %s", name, s.what(), s.Attempt+1, at(s.Due, now), s.Error)
	case WaitsProbe:
		return fmt.Sprintf("%s: attempt %d is probed, after %s", name, s.Attempt, s.Error)
	case WaitsTimer:
		return name + ": sleeps until" + strings.TrimPrefix(at(s.Due, now), " at")
	case WaitsSignal:
		text = name + ": waits for signal " + s.What
	case WaitsEvent:
		text = name + ": waits for event " + s.What
	case WaitsChild:
		return name + ": waits for child run " + s.What
	default:
		text = fmt.Sprintf("%s: %s %d runs for %s", name, s.what(), s.Attempt, story.Short(now.Sub(s.Since)))
	}
	if !s.Due.IsZero() {
		text += ", at most until" + strings.TrimPrefix(at(s.Due, now), " at")
	}
	return text
}

// what says what the attempts of the step are called.
func (s *Step) what() string {
	if s.Direction == domain.Probe {
		return "probe"
	}
	return "attempt"
}

// at writes a time with its distance from now: " at 14:02:11 (in 38s)".
func at(t, now time.Time) string {
	layout := "15:04:05"
	if d := t.Sub(now); d > 20*time.Hour || d < -20*time.Hour {
		layout = "2006-01-02 15:04:05"
	}
	text := " at " + t.In(now.Location()).Format(layout)
	if d := t.Sub(now); d > 0 {
		return text + " (in " + story.Short(d) + ")"
	}
	return text + " (due)"
}
