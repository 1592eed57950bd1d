package projections

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Run is a row of the runs view.
type Run struct {
	// No is the position of the run's first event: it numbers runs in the order of their starts.
	No      domain.Position `json:"no"`
	ID      domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	// Plan is the hash of the plan that the run is pinned to.
	Plan  string          `json:"plan"`
	State domain.RunState `json:"state"`
	// Started and Ended are by the coordinators' clocks; Ended is zero while the run goes on.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Updated and Revision are those of the last event.
	Updated  time.Time `json:"updated"`
	Revision uint64    `json:"revision"`
	// Actor is who started the run.
	Actor  string            `json:"actor,omitempty"`
	Key    string            `json:"key,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// Parent is set for a child run.
	Parent *domain.ParentRef `json:"parent,omitempty"`
	// Trigger is the domain event that started the run, if one did.
	Trigger  *domain.TriggerRef `json:"trigger,omitempty"`
	Deadline time.Time          `json:"deadline,omitzero"`
	// Wake is when the next timer of the run fires; zero where none is set.
	Wake time.Time `json:"wake,omitzero"`
	// Attempts counts all attempts in all directions.
	Attempts int `json:"attempts"`
	// Cause is why the run turned back; Error the message of its latest failure, whatever came of it.
	Cause *domain.Failure `json:"cause,omitempty"`
	Error string          `json:"error,omitempty"`
	// Steps lists what is under way, in the order in which it began; at most 64 steps. More counts the others.
	Steps []RunStep `json:"steps,omitempty"`
	More  int       `json:"more,omitempty"`
	// Actions names the actions that the run has tried; at most 64.
	Actions []string `json:"actions,omitempty"`
	// Paused and Blocked are reasons; empty where the run is neither.
	Paused  string `json:"paused,omitempty"`
	Blocked string `json:"blocked,omitempty"`
	// Left lists the steps whose effect was left behind, and Reason why a person abandoned the run.
	Left   []string `json:"left,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// StepKind says what a step under way waits for.
type StepKind string

// The kinds of waiting.
const (
	WaitsOutcome StepKind = "attempt" // an attempt is in flight
	WaitsRetry   StepKind = "retry"   // for the time of the next attempt
	WaitsProbe   StepKind = "probe"   // to be asked whether an attempt took effect
	WaitsTimer   StepKind = "timer"   // a sleep
	WaitsSignal  StepKind = "signal"  // for a signal, named by What
	WaitsEvent   StepKind = "event"   // for a domain event, named by What
	WaitsChild   StepKind = "child"   // for a child run, named by What
	WaitsPerson  StepKind = "person"  // stuck; What is the incident's id
)

// RunStep is a step that is under way.
type RunStep struct {
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction,omitempty"`
	Kind      StepKind         `json:"kind"`
	Action    string           `json:"action,omitempty"`
	Attempt   int              `json:"attempt,omitempty"`
	What      string           `json:"what,omitempty"`
	// Since is when it began to wait, Due when the wait ends by itself.
	Since time.Time `json:"since"`
	Due   time.Time `json:"due,omitzero"`
	// Error is the latest failure of the step in that direction.
	Error string `json:"error,omitempty"`
}

// Duration is how long the run took or, while it goes on, has taken by now.
func (r *Run) Duration(now time.Time) time.Duration {
	if r.Ended.IsZero() {
		return now.Sub(r.Started)
	}
	return r.Ended.Sub(r.Started)
}

// Waiting says in a sentence what an unfinished run waits for: the most telling of its
// steps, and how many more there are. It is empty for a run that has ended.
func (r *Run) Waiting(now time.Time) string {
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

func (r *Run) others() string {
	if n := len(r.Steps) + r.More - 1; n > 0 {
		return fmt.Sprintf(" (and %d more)", n)
	}
	return ""
}

// urgency orders what is worth telling first.
var urgency = map[StepKind]int{
	WaitsPerson: 8, WaitsRetry: 7, WaitsProbe: 6, WaitsOutcome: 5, WaitsChild: 4, WaitsEvent: 3, WaitsSignal: 2, WaitsTimer: 1,
}

func (s *RunStep) waiting(now time.Time) string {
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
		text = fmt.Sprintf("%s: %s %d runs for %s", name, s.what(), s.Attempt, round(now.Sub(s.Since)))
	}
	if !s.Due.IsZero() {
		text += ", at most until" + strings.TrimPrefix(at(s.Due, now), " at")
	}
	return text
}

// what says what the attempts of the step are called.
func (s *RunStep) what() string {
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
		return text + " (in " + round(d) + ")"
	}
	return text + " (due)"
}

// round writes a duration as people say it.
func round(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}
