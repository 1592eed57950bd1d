package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/visible"
)

// subject names the step, with its direction where that is not forward.
func (w *Wait) subject() string {
	if w.Direction == domain.Undo {
		return "undo of " + w.Step
	}
	return w.Step
}

// headline says in a few words, without times, what is the matter.
func (w *Wait) headline() string {
	name := w.subject()
	switch w.WaitsFor {
	case ForPerson:
		return name + " failed" + times(w.SinceRetry)
	case ForRetry:
		return name + " is tried again"
	case ForOutcome:
		return name + " runs"
	case ForProbe:
		return name + " is to be probed"
	case ForDecision:
		return name + " failed for good"
	case ForTime:
		return name + " sleeps"
	case ForStart:
		return name + " is to be started"
	case ForSignal, ForEvent:
		return name + " waits for " + string(w.WaitsFor) + " " + w.Name
	case ForChild:
		return name + " waits for child run " + w.Child
	case ForWorker:
		return name + " is not sent to a worker"
	case ForRelease:
		return name + " is held"
	}
	return name + " waits for a place of action " + w.Action
}

// Clock writes an instant as a sentence has it.
type Clock func(t time.Time) string

// ClockIn returns a clock that writes the time of day in the zone and names the zone, with the date
// if the instant is far from now.
func ClockIn(now time.Time, zone *time.Location) Clock {
	return func(t time.Time) string {
		layout := "15:04:05 MST"
		if t.Sub(now).Abs() > 20*time.Hour {
			layout = "2006-01-02 15:04:05 MST"
		}
		return t.In(zone).Format(layout)
	}
}

// Tell says for people what is waited for. It reads nothing but the value; the clock writes the
// instants.
func (w *Wait) Tell(now time.Time, clock Clock) string {
	name := w.subject()
	switch w.WaitsFor {
	case ForPerson:
		return w.stuck(name, clock)
	case ForRetry:
		return fmt.Sprintf("%s: %s %d%s after %s%s%s", name, w.what(), w.Attempt+1, at(w.Until, now, clock), causeText(w.Cause, clock), w.inForce(), w.place(clock, "; waits for a free place of action "))
	case ForProbe:
		return fmt.Sprintf("%s: attempt %d is to be probed, after %s%s", name, w.Attempt, causeText(w.Cause, clock), w.place(clock, "; waits for a free place of action "))
	case ForDecision:
		return name + " failed for good: " + causeText(w.Cause, clock)
	case ForStart:
		return name + ": is to be started"
	case ForPlace:
		text := name + ": is to be started; waits for a free place of action " + w.Action
		return text + w.Place.text(clock)
	case ForWorker:
		return fmt.Sprintf("%s: %s %d is not sent to a worker yet: %s", name, w.what(), w.Attempt, w.NotSent)
	case ForRelease:
		text := name + ": is to be started"
		if w.Cause != nil {
			text = fmt.Sprintf("%s: is to be tried again after %s", name, causeText(w.Cause, clock))
		}
		return fmt.Sprintf("%s; held: %s (action %s, by %s since %s)", text, w.Hold.Reason, w.Action, w.Hold.By, clock(w.Hold.Since))
	case ForTime:
		return name + ": sleeps until" + strings.TrimPrefix(at(w.Until, now, clock), " at")
	case ForChild:
		text := name + ": waits for child run " + w.Child
		if w.Back {
			text += " to undo itself"
		}
		return text
	}
	return w.long(name, now, clock)
}

// stuck is the sentence of a step that needs a person.
func (w *Wait) stuck(name string, clock Clock) string {
	text := "stuck: " + name + " failed" + times(w.SinceRetry)
	if w.SinceRetry > 0 && w.Attempt > w.SinceRetry {
		text += fmt.Sprintf(" since it got new attempts, %d times in all, last", w.Attempt)
	} else if w.SinceRetry > 1 && !w.Failed.IsZero() {
		text += ", last"
	}
	if !w.Failed.IsZero() {
		text += " at " + clock(w.Failed)
	}
	text += ": " + causeText(w.Cause, clock)
	if w.After != "" {
		text += "; the run had ended " + string(w.After) + " before this effect came late"
	}
	return text + "; " + w.Ways
}

// long is the sentence of a wait that ends by itself at a time.
func (w *Wait) long(name string, now time.Time, clock Clock) string {
	text := name + ": waits for " + string(w.WaitsFor) + " " + w.Name
	if w.WaitsFor == ForOutcome {
		text = fmt.Sprintf("%s: %s %d runs for %s", name, w.what(), w.Attempt, round(now.Sub(w.Since)))
	} else if w.Correlation != "" {
		text += " of " + w.Correlation
	}
	switch {
	case w.Until.IsZero():
	case w.Until.Equal(w.HeartbeatDue):
		text += ", at most until" + strings.TrimPrefix(at(w.Until, now, clock), " at") + " without a heartbeat"
		if !w.AttemptDue.IsZero() {
			text += ", and until " + clock(w.AttemptDue) + " with them"
		}
	default:
		text += ", at most until" + strings.TrimPrefix(at(w.Until, now, clock), " at")
	}
	text += w.inForce()
	if w.Turned {
		text += "; the run turned back, so its outcome is undone"
	}
	return text
}

// place tells who has the place that is waited for, if that is known.
func (w *Wait) place(clock Clock, intro string) string {
	if w.Place == nil {
		return ""
	}
	return intro + w.Action + w.Place.text(clock)
}

// inForce tells the policy, where it is not the plan's.
func (w *Wait) inForce() string {
	if w.InForce == nil {
		return ""
	}
	retry, timeout := w.InForce.For(w.Direction)
	text := "; in force, not as planned: "
	switch retry.MaxAttempts {
	case domain.Unlimited:
		text += "any number of attempts"
	case 1:
		text += "1 attempt"
	default:
		text += fmt.Sprintf("%d attempts", retry.MaxAttempts)
	}
	if timeout > 0 {
		text += " of at most " + round(time.Duration(timeout))
	}
	return text
}

// what says what the attempts of the wait are called.
func (w *Wait) what() string {
	if w.Direction == domain.Probe {
		return "probe"
	}
	return "attempt"
}

func times(n int) string {
	if n > 1 {
		return fmt.Sprintf(" %d times", n)
	}
	return ""
}

// causeText is what a failure says, with its instants written by the clock.
func causeText(f *domain.Failure, clock Clock) string {
	if f == nil {
		return "an unknown cause"
	}
	return visible.Instants(f.Message, clock)
}

// at writes a time with its distance from now: " at 14:02:11 UTC (in 38s)".
func at(t, now time.Time, clock Clock) string {
	text := " at " + clock(t)
	if d := t.Sub(now); d > 0 {
		return text + " (in " + round(d) + ")"
	}
	return text + " (due)"
}

// round writes a duration as people say it.
func round(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func (p *Place) text(clock Clock) string {
	if p == nil {
		return ""
	}
	text := fmt.Sprintf(", which attempt %d of %s of run %s has had since %s", p.Attempt, p.Step, p.Run, clock(p.Since))
	if p.Direction != domain.Do {
		text = fmt.Sprintf(", which attempt %d (%s) of %s of run %s has had since %s", p.Attempt, p.Direction, p.Step, p.Run, clock(p.Since))
	}
	if !p.GivenUp.IsZero() {
		text += "; it was given up at " + clock(p.GivenUp) + " and its handler has not returned: it ignores its context"
	}
	return text
}
