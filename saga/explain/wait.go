package explain

import (
	"encoding/json"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// For says what a step, or a run, waits for.
type For string

// What is waited for.
const (
	ForOutcome  For = "outcome" // an attempt is in flight
	ForRetry    For = "retry"   // the time of the next attempt
	ForProbe    For = "probe"   // it is to be asked whether an attempt took effect
	ForStart    For = "start"   // the coordinator, which is to start it now
	ForPlace    For = "place"   // a free place of the action
	ForRelease  For = "release" // a person, who is to release the action
	ForWorker   For = "worker"  // the broker, which does not take the attempt
	ForTime     For = "time"    // the end of a sleep
	ForSignal   For = "signal"
	ForEvent    For = "event"
	ForChild    For = "child" // the end of a child run
	ForPerson   For = "person"
	ForDecision For = "decision" // the coordinator, which is to conclude from a failure
	ForResume   For = "resume"   // a person, of a run that is paused
	ForProgram  For = "program"  // one that can go on with it, of a run that is blocked
)

// Wait says what one step of an unfinished run waits for. Times are instants.
type Wait struct {
	// Step is empty where the run as a whole waits.
	Step      string           `json:"step,omitempty"`
	Action    string           `json:"action,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	Phase     machine.Phase    `json:"phase"`
	// WaitsFor is what it waits for, Headline the same in a few words, without times.
	WaitsFor For    `json:"waits_for"`
	Headline string `json:"headline"`
	// Attempt counts all attempts of the direction, SinceRetry those since a person last granted
	// new ones, without those that no worker had.
	Attempt    int `json:"attempt,omitempty"`
	SinceRetry int `json:"attempts_since_retry,omitempty"`
	// Since is when it began to wait, where that is known; Until when the wait ends by itself.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// AttemptDue is when the attempt in flight is given up, HeartbeatDue when it is without a
	// heartbeat before. Details are those of its latest heartbeat.
	AttemptDue   time.Time       `json:"attempt_due,omitzero"`
	HeartbeatDue time.Time       `json:"heartbeat_due,omitzero"`
	Details      json.RawMessage `json:"heartbeat_details,omitempty"`
	// Incident and Cause are those of a stuck or failed step. Cause is else the latest failure.
	// Failed is when the latest failure was recorded.
	Incident string          `json:"incident,omitempty"`
	Cause    *domain.Failure `json:"cause,omitempty"`
	Failed   time.Time       `json:"failed,omitzero"`
	// InForce is the policy of the action, where it was changed since the run's plan was made.
	InForce *domain.Policy `json:"in_force,omitempty"`
	// Name is that of the signal or event, Correlation the correlation id of the event.
	Name        string `json:"name,omitempty"`
	Correlation string `json:"correlation,omitempty"`
	// Child is the child run; Back means that it is to undo itself.
	Child string `json:"child,omitempty"`
	Back  bool   `json:"back,omitempty"`
	// Place is what has the place that the step waits for, where that is known.
	Place *Place `json:"place,omitempty"`
	// Hold is what a person said who stopped the action.
	Hold *Hold `json:"hold,omitempty"`
	// NotSent is why the attempt is not sent to a worker.
	NotSent string `json:"not_sent,omitempty"`
	// Turned means that the run turned back, so that the outcome is undone.
	Turned bool `json:"turned,omitempty"`
	// After is the end that the run had come to when the step got stuck.
	After domain.RunState `json:"after,omitempty"`
	// Ways are what a person can do, in words.
	Ways string `json:"ways,omitempty"`
	// Text is the sentence for people, with times in UTC; see [Wait.Tell].
	Text string `json:"text"`
}

// wait describes one step that waits or is owed something.
func wait(s *machine.State, st *machine.Step, now time.Time, around Surroundings) Wait {
	w := Wait{Step: st.Path, Phase: st.Phase, Direction: st.Direction(), Incident: st.Incident, Cause: st.Cause}
	if st.Node.Action != nil {
		w.Action, w.InForce = st.Node.Action.Name, st.InForce
	}
	t := st.Tries(w.Direction)
	w.Attempt, w.SinceRetry = t.N, t.N-t.Base-t.Uncounted
	if w.Cause == nil {
		w.Cause = t.Cause
	}
	if w.Cause != nil {
		w.Failed = t.Failed
	}
	switch st.Phase {
	case machine.Stuck, machine.UndoStuck:
		w.WaitsFor, w.After, w.Ways = ForPerson, s.Was, ways(s, st)
	case machine.Backoff, machine.UndoBackoff, machine.ProbeBackoff:
		w.WaitsFor, w.Until, w.Cause = ForRetry, t.RetryAt, t.Cause
	case machine.Running, machine.Probing, machine.Undoing:
		w.inFlight(st, t)
	case machine.ProbeDue:
		w.WaitsFor, w.Cause, w.Failed = ForProbe, st.Do.Cause, st.Do.Failed
	case machine.Waiting:
		w.waiting(st)
	case machine.Failed, machine.UndoFailed:
		w.WaitsFor = ForDecision
	default: // machine.Ready, machine.UndoDue
		w.WaitsFor = ForStart
		if w.Action != "" {
			w.WaitsFor = ForPlace
		}
	}
	w.ask(s.Run, now, around)
	w.Headline, w.Text = w.headline(), w.Tell(now, ClockIn(now, time.UTC))
	return w
}

// inFlight describes an attempt that has no outcome yet, or a child that is being undone.
func (w *Wait) inFlight(st *machine.Step, t *machine.Tries) {
	if st.Node.Kind == domain.KindChild {
		w.Attempt, w.WaitsFor, w.Child, w.Back = 0, ForChild, st.Child.String(), true
		return
	}
	w.WaitsFor, w.Since, w.AttemptDue, w.HeartbeatDue, w.Details = ForOutcome, t.Last, t.Due, t.BeatDue, t.Details
	w.Until = t.Due
	if !t.BeatDue.IsZero() && (w.Until.IsZero() || t.BeatDue.Before(w.Until)) {
		w.Until = t.BeatDue
	}
	w.Turned = st.Turning && w.Direction == domain.Do
}

// waiting describes a sleep, an await or a child.
func (w *Wait) waiting(st *machine.Step) {
	w.Attempt, w.SinceRetry, w.Until = 0, 0, st.Due
	switch {
	case st.Node.Kind == domain.KindSleep:
		w.WaitsFor = ForTime
	case st.Node.Kind == domain.KindChild:
		w.WaitsFor, w.Child = ForChild, st.Child.String()
	case st.Signal != "":
		w.WaitsFor, w.Name = ForSignal, st.Signal
	default:
		w.WaitsFor, w.Name, w.Correlation = ForEvent, st.Event, st.Correlation
	}
}

// ask adds what only the run's surroundings know.
func (w *Wait) ask(run domain.RunID, now time.Time, around Surroundings) {
	if w.Action == "" || around == nil {
		return
	}
	switch w.WaitsFor {
	case ForRetry, ForProbe, ForPlace:
		if w.Hold = around.HoldOf(w.Action, w.Direction == domain.Undo); w.Hold != nil {
			w.WaitsFor, w.Until = ForRelease, time.Time{}
			return
		}
	}
	switch w.WaitsFor {
	case ForRetry, ForProbe:
		if !w.Until.After(now) && w.Phase != machine.ProbeBackoff {
			w.Place = around.PlaceOf(w.Action)
		}
	case ForPlace:
		w.Place = around.PlaceOf(w.Action)
	case ForOutcome:
		if w.NotSent = around.Unsent(run, w.Step, w.Direction, w.Attempt); w.NotSent != "" {
			w.WaitsFor = ForWorker
		}
	}
}

// ways lists what gets a stuck step going.
func ways(s *machine.State, st *machine.Step) string {
	switch {
	case st.Phase == machine.UndoStuck:
		return "retry, skip the undo, or abandon the run"
	case st.InDoubt && st.CantUndo() && st.Node.Doubt != "":
		return "it may have happened, which its author accepts (" + st.Node.Doubt + "): find out, and substitute its output if it did, skip or retry it if not, or abandon the run"
	case st.InDoubt && st.CantUndo():
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
