package machine

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Wait says what one step of an unfinished run waits for.
type Wait struct {
	// Step is empty where the run as a whole waits.
	Step      string           `json:"step,omitempty"`
	Action    string           `json:"action,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	Phase     Phase            `json:"phase"`
	Attempt   int              `json:"attempt,omitempty"`
	// Since is when it began to wait, where that is known; Until when the wait ends by itself.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Incident and Cause are those of a stuck or failed step.
	Incident string          `json:"incident,omitempty"`
	Cause    *domain.Failure `json:"cause,omitempty"`
	// Place is what has the place that the step waits for, where that is known.
	Place *Place `json:"place,omitempty"`
	// Text is the sentence for people.
	Text string `json:"text"`
}

// Place is an attempt that has a place of its action which others wait for.
type Place struct {
	Run       domain.RunID     `json:"run"`
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction"`
	Attempt   int              `json:"attempt"`
	// Since is when it got the place. GivenUp is when the attempt was given up, whose handler has not returned.
	Since   time.Time `json:"since"`
	GivenUp time.Time `json:"given_up,omitzero"`
}

func (p *Place) text(now time.Time) string {
	text := fmt.Sprintf(", which attempt %d of %s of run %s has had since %s", p.Attempt, p.Step, p.Run, clock(p.Since, now))
	if p.Direction != domain.Do {
		text = fmt.Sprintf(", which attempt %d (%s) of %s of run %s has had since %s", p.Attempt, p.Direction, p.Step, p.Run, clock(p.Since, now))
	}
	if !p.GivenUp.IsZero() {
		text += "; it was given up at " + clock(p.GivenUp, now) + " and its handler has not returned: it ignores its context"
	}
	return text
}

// Reason answers "why is it waiting?".
type Reason struct {
	State domain.RunState `json:"state"`
	// Text is one sentence; it is there for ended runs too.
	Text string `json:"text"`
	// Waits lists everything that is waited for, the most telling first. Of a run that has ended it lists what is
	// undone once more, because an effect came late.
	Waits []Wait `json:"waits,omitempty"`
}

// maxWaits bounds the list: a parallel of 10,000 steps is not told one by one.
const maxWaits = 100

// Why says in a sentence what the run waits for at the given time, and lists the single waits. It
// changes nothing.
func Why(s *State, now time.Time) Reason { return WhyWith(s, now, nil) }

// Surroundings are what is known around a run: it is not in its events. The methods are called concurrently.
type Surroundings interface {
	// PlaceOf returns the attempt that has held a place of the action for longest if none is free, else nil.
	PlaceOf(action string) *Place
	// Unsent says why an attempt was not handed to a worker yet: the broker refuses it. Empty means that it was.
	Unsent(run domain.RunID, step string, dir domain.Direction, attempt int) string
}

// WhyWith is [Why] where the run's surroundings are known; nil means that they are not.
func WhyWith(s *State, now time.Time, around Surroundings) Reason {
	r := Reason{State: s.Status()}
	var waits []Wait
	total := 0
	for _, l := range [...]*list{&s.watch, &s.todo} {
		for st := l.head; st != nil; st = st.nxt {
			if s.End != "" && !st.undoOpen() {
				continue // a failure handler
			}
			if total++; len(waits) < maxWaits || st.Phase == Stuck || st.Phase == UndoStuck {
				waits = append(waits, s.wait(st, now, around))
			}
		}
	}
	best := -1
	for i := range waits {
		if best < 0 || urgency[waits[i].Phase] > urgency[waits[best].Phase] {
			best = i
		}
	}
	if best > 0 {
		first := waits[best]
		copy(waits[1:best+1], waits[:best])
		waits[0] = first
	}
	r.Waits = waits
	if s.End == "" {
		r.Text = s.waitText(waits, total, now, around)
		return r
	}
	r.Text = s.endText()
	if total > 0 {
		r.Text += "; an effect came after that: " + waits[0].Text
	}
	return r
}

// urgency orders what is worth telling first.
var urgency = map[Phase]int{
	UndoStuck: 20, Stuck: 19, UndoFailed: 18, Failed: 17, UndoBackoff: 16, Backoff: 15, ProbeBackoff: 15, ProbeDue: 14, Probing: 13,
	Undoing: 12, Running: 11, UndoDue: 10, Ready: 9, Waiting: 8,
}

func (s *State) waitText(waits []Wait, total int, now time.Time, around Surroundings) string {
	stuck := len(waits) > 0 && (waits[0].Phase == Stuck || waits[0].Phase == UndoStuck)
	var text string
	switch {
	case stuck:
		text = waits[0].Text + s.heldByDoubt(now)
	case s.Paused:
		return "paused: " + orText(s.PauseReason, "no reason given") + "; resume it to go on"
	case s.Blocked != "" && (total == 0 || s.todo.head != nil || s.finish):
		return "blocked since " + clock(s.BlockedAt, now) + ": " + s.Blocked
	case total == 0:
		return "nothing is in flight: the coordinator is to take the next step"
	default:
		text = waits[0].Text
		if held := s.heldByDoubt(now); held != "" {
			text = s.wait(s.irreversibleInFlight(), now, around).Text + held
		}
	}
	if total > 1 {
		text += fmt.Sprintf(" (and %d more)", total-1)
	}
	return text
}

// heldByDoubt says that a cancel or the run's deadline waits until it is known whether an irreversible step takes effect.
func (s *State) heldByDoubt(now time.Time) string {
	st := s.irreversibleInFlight()
	if st == nil || s.PastPivot || s.Turning {
		return ""
	}
	var what []string
	if s.Cancel != nil && s.Cancel.Kind != domain.FailureDeadline {
		what = append(what, "a cancel")
	}
	if d := s.Start.Deadline; !d.IsZero() && !now.Before(d) {
		what = append(what, "the run's deadline, which passed"+strings.TrimSuffix(at(d, now), " (due)")+",")
	}
	if len(what) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s waits until it is known whether %s took effect, because it can't be undone", strings.Join(what, " and "), st.Path)
}

func (s *State) endText() string {
	at := s.EndedAt.UTC().Format(time.RFC3339)
	switch s.End {
	case domain.RunIsCompleted:
		return "completed at " + at
	case domain.RunIsAbandoned:
		return "abandoned at " + at + leftText(s.Left)
	}
	text := string(s.End) + " at " + at + leftText(s.Left)
	if s.Cause != nil {
		text += ", because " + s.Cause.String()
	}
	return text
}

func leftText(left []string) string {
	if len(left) == 0 {
		return ""
	}
	return " with effects left: " + strings.Join(left, ", ")
}

// wait describes one step that waits or is owed something.
func (s *State) wait(st *Step, now time.Time, around Surroundings) Wait {
	w := Wait{Step: st.Path, Phase: st.Phase, Direction: st.inFlightDirection(), Incident: st.Incident, Cause: st.Cause}
	if st.Node.Action != nil {
		w.Action = st.Node.Action.Name
	}
	switch st.Phase {
	case UndoDue, UndoBackoff, UndoFailed, UndoStuck:
		w.Direction = domain.Undo
	}
	name := st.Path
	if w.Direction == domain.Undo {
		name = "undo of " + name
	}
	t := st.tries(w.Direction)
	w.Attempt = t.N
	if w.Cause == nil {
		w.Cause = t.Cause
	}
	switch st.Phase {
	case Stuck, UndoStuck:
		w.Text = "stuck: " + name + " failed" + times(t.N-t.Base-t.Uncounted) + ": " + causeText(w.Cause) + s.afterEnd() + "; " + s.ways(st)
	case Backoff, UndoBackoff, ProbeBackoff:
		w.Until = t.RetryAt
		w.Text = fmt.Sprintf("%s: %s %d%s after %s", name, w.what(), t.N+1, at(t.RetryAt, now), causeText(t.Cause))
	case Running, Probing, Undoing:
		s.inFlightText(&w, st, name, now)
	case ProbeDue:
		w.Text = fmt.Sprintf("%s: attempt %d is to be probed, after %s", st.Path, st.Do.N, causeText(st.Do.Cause))
	case Waiting:
		waitingText(&w, st, name, now)
	case Failed, UndoFailed:
		w.Text = name + " failed for good: " + causeText(w.Cause)
	default: // Ready, UndoDue
		w.Text = name + ": is to be started"
		if w.Action != "" {
			w.Text += "; waits for a free place of action " + w.Action
		}
	}
	if w.Action == "" || around == nil {
		return w
	}
	switch due := t.RetryAt; st.Phase {
	case Backoff, UndoBackoff, ProbeDue:
		if due.After(now) {
			return w
		}
		if w.Place = around.PlaceOf(w.Action); w.Place != nil {
			w.Text += "; waits for a free place of action " + w.Action + w.Place.text(now)
		}
	case Running, Probing, Undoing:
		if why := around.Unsent(s.Run, st.Path, w.Direction, w.Attempt); why != "" {
			w.Text = fmt.Sprintf("%s: %s %d is not sent to a worker yet: %s", name, w.what(), w.Attempt, why)
		}
	case Ready, UndoDue:
		if w.Place = around.PlaceOf(w.Action); w.Place != nil {
			w.Text += w.Place.text(now)
		}
	}
	return w
}

// inFlightText describes an attempt that has no outcome yet, or a child that is being undone.
func (s *State) inFlightText(w *Wait, st *Step, name string, now time.Time) {
	if st.Node.Kind == domain.KindChild {
		w.Attempt = 0
		w.Text = "undo of " + st.Path + ": waits for child run " + st.Child.String() + " to undo itself"
		return
	}
	t := st.tries(w.Direction)
	w.Since, w.Until = t.Last, t.Due
	if !t.BeatDue.IsZero() && (w.Until.IsZero() || t.BeatDue.Before(w.Until)) {
		w.Until = t.BeatDue
	}
	w.Text = fmt.Sprintf("%s: %s %d runs for %s", name, w.what(), t.N, round(now.Sub(t.Last)))
	if !w.Until.IsZero() {
		w.Text += ", at most until" + strings.TrimPrefix(at(w.Until, now), " at")
	}
	if st.Turning && w.Direction == domain.Do {
		w.Text += "; the run turned back, so its outcome is undone"
	}
}

// waitingText describes a sleep, an await or a child.
func waitingText(w *Wait, st *Step, name string, now time.Time) {
	w.Attempt, w.Until = 0, st.Due
	switch st.Node.Kind {
	case domain.KindSleep:
		w.Text = name + ": sleeps until" + strings.TrimPrefix(at(st.Due, now), " at")
		return
	case domain.KindChild:
		w.Text = name + ": waits for child run " + st.Child.String()
		return
	}
	if st.Signal != "" {
		w.Text = name + ": waits for signal " + st.Signal
	} else {
		w.Text = name + ": waits for event " + st.Event
		if st.Correlation != "" {
			w.Text += " of " + st.Correlation
		}
	}
	if !st.Due.IsZero() {
		w.Text += ", at most until" + strings.TrimPrefix(at(st.Due, now), " at")
	}
}

// what says what the attempts of the wait are called.
func (w *Wait) what() string {
	if w.Direction == domain.Probe {
		return "probe"
	}
	return "attempt"
}

// afterEnd says that the run had ended when it got stuck.
func (s *State) afterEnd() string {
	if s.Was == "" {
		return ""
	}
	return "; the run had ended " + string(s.Was) + " before this effect came late"
}

// ways lists what gets a stuck step going.
func (s *State) ways(st *Step) string {
	switch {
	case st.Phase == UndoStuck:
		return "retry, skip the undo, or abandon the run"
	case st.InDoubt && st.cantUndo() && st.Node.Doubt != "":
		return "it may have happened, which its author accepts (" + st.Node.Doubt + "): find out, and substitute its output if it did, skip or retry it if not, or abandon the run"
	case st.InDoubt && st.cantUndo():
		return "it may have happened: find out, and substitute its output if it did, skip or retry it if not, or abandon the run"
	case st.InDoubt && s.PastPivot:
		return "it may have happened: retry, skip, substitute its output, or abandon the run"
	case st.InDoubt:
		return "it may have happened: retry, skip, substitute its output, cancel or abandon the run"
	case s.PastPivot:
		return "retry, skip, substitute its output, or abandon the run"
	}
	return "retry, skip, substitute its output, cancel or abandon the run"
}

func times(n int) string {
	if n > 1 {
		return fmt.Sprintf(" %d times", n)
	}
	return ""
}

func causeText(f *domain.Failure) string {
	if f == nil {
		return "an unknown cause"
	}
	return f.Message
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// at writes a time with its distance from now: " at 14:02:11 (in 38s)".
func at(t, now time.Time) string {
	text := " at " + clock(t, now)
	if d := t.Sub(now); d > 0 {
		return text + " (in " + round(d) + ")"
	}
	return text + " (due)"
}

// clock writes a time of day, with the date if it is far from now.
func clock(t, now time.Time) string {
	layout := "15:04:05"
	if t.Sub(now).Abs() > 20*time.Hour {
		layout = "2006-01-02 15:04:05"
	}
	return t.In(now.Location()).Format(layout)
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
