package runs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga/explain"
)

// listedSteps bounds the steps and actions that a row lists, so that a row's cost does not grow
// with the width of a run.
const listedSteps = 64

// state is the fold's state of one run: its row, and whether this batch changed it.
type state struct {
	Row
	n       int64 // the key of the row: runs are counted from 0
	changed bool  // since the last transaction
}

// begin sets the row from a run's first event and its metadata. A run whose beginning can't be read
// has no saga, and is blocked.
func (r *state) begin(e *projections.Event) {
	r.Row = Row{No: e.Position, ID: e.Run, State: domain.RunRunning, Started: e.When(), Actor: e.Meta.Actor}
	switch i := e.Of; {
	case i != nil:
		r.No, r.Saga, r.Version, r.Plan, r.Started = i.No, i.Saga, i.Version, i.Plan, i.At
		r.Key, r.Labels, r.Parent, r.Trigger, r.Deadline = i.Key, i.Labels, i.Parent, i.Trigger, i.Deadline
	case e.Recorded.Revision > 0:
		r.Blocked = fmt.Sprintf("%sits beginning is missing: the first event is revision %d", unreadable, e.Recorded.Revision)
	case e.Err == nil:
		r.Blocked = unreadable + "it begins with " + e.Recorded.Type
	}
}

// fold applies one event to the state.
func (r *state) fold(e *projections.Event) {
	at := e.When()
	r.Updated, r.Revision = at, e.Recorded.Revision
	if e.Event == nil {
		r.foldUnreadable(e)
		return
	}
	r.foldFields(e)
	if goesOn(e.Event) && (r.Saga != "" || e.Of != nil) {
		r.Blocked = ""
	}
	if e.Of != nil && e.Of.NoPlan != "" {
		r.Blocked = unreadable + e.Of.NoPlan
	}
	switch d := e.Event.(type) {
	case *domain.AttemptStarted, *domain.AttemptSucceeded, *domain.AttemptFailed, *domain.AttemptHeartbeat, *domain.OutcomeLate, *domain.StepProbed:
		r.foldAttempt(e, at)
	case *domain.RunCompleted, *domain.RunCompensated, *domain.RunCancelled, *domain.RunAbandoned:
		r.foldEnd(e.Event, at)
	case *domain.RunTurnedBack:
		r.Cause, r.Error, r.State, r.Ended = &d.Cause, d.Cause.Message, domain.RunCompensating, time.Time{}
		r.drop(func(s *Step) bool {
			return s.Direction != domain.Undo && s.Direction != domain.Handler && s.WaitsFor != explain.ForOutcome && s.WaitsFor != explain.ForChild
		})
	case *domain.RunPaused:
		r.Paused = cmp.Or(d.Reason, "no reason given")
	case *domain.RunResumed:
		r.Paused = ""
	case *domain.RunBlocked:
		r.Blocked = d.Reason
	default:
		r.foldStep(e, at)
	}
	if w := e.Meta.Wake; w.State != "" {
		r.State, r.Wake = w.State, w.Due
	}
}

// unreadable begins the reason of a run that is blocked because it can't be read.
const unreadable = "it can't be read: "

// foldUnreadable notes that a program can't read an event of the run, so that no such program goes
// on with it. When one does, the run is blocked no more.
func (r *state) foldUnreadable(e *projections.Event) {
	if e.Err != nil && !r.State.Ended() {
		r.Blocked = domain.ShortMessage(unreadable + e.Err.Error())
	}
}

// The values of searchable fields that a row keeps, in number and in bytes of each.
const (
	keptFields = 64
	fieldBytes = 200
)

// foldFields notes the searchable values in the event's payloads.
func (r *state) foldFields(e *projections.Event) {
	if e.Of == nil || len(e.Of.Searchable) == 0 {
		return
	}
	act := story.Describe(&e.Fact)
	for _, p := range []json.RawMessage{act.Input, act.Output} {
		e.Of.Searchable.Each(p, e.Of.Secret, func(name, value string) {
			name, value = strings.ToLower(domain.CutText(name, fieldBytes)), domain.CutText(value, fieldBytes)
			kept := 0
			for _, values := range r.Fields {
				kept += len(values)
			}
			if kept >= keptFields || value == "" || slices.Contains(r.Fields[name], value) {
				return
			}
			if r.Fields == nil {
				r.Fields = make(map[string][]string)
			}
			r.Fields[name] = append(r.Fields[name], value)
		})
	}
}

// goesOn reports whether the event shows that a program with the run's code is working on the run,
// so that the run is no longer blocked. Outcomes, signals, levers and timers need no code: they
// occur in blocked runs too.
func goesOn(e domain.Event) bool {
	switch e.(type) {
	case *domain.AttemptStarted, *domain.BranchChosen, *domain.ItemsListed, *domain.ValueComputed, *domain.StepsPlanned, *domain.PivotPassed,
		*domain.TimerSet, *domain.AwaitOpened, *domain.ChildStarted, *domain.ChildTurnedBack, *domain.StepRetried, *domain.RunTurnedBack:
		return true
	}
	return false
}

func (r *state) foldEnd(e domain.Event, at time.Time) {
	switch d := e.(type) {
	case *domain.RunCompleted:
		r.State = domain.RunIsCompleted
	case *domain.RunCompensated:
		r.State, r.Left = domain.RunIsCompensated, d.Left
	case *domain.RunCancelled:
		r.State, r.Left = domain.RunIsCancelled, d.Left
	case *domain.RunAbandoned:
		r.State, r.Left, r.Reason = domain.RunIsAbandoned, d.Left, d.Reason
	}
	r.Ended, r.Wake, r.Paused, r.Blocked, r.More = at, time.Time{}, "", "", 0
	r.drop(func(s *Step) bool { return s.Direction != domain.Handler })
}

func (r *state) foldAttempt(e *projections.Event, at time.Time) {
	switch d := e.Event.(type) {
	case *domain.AttemptStarted:
		r.Attempts++
		if !slices.Contains(r.Actions, d.Action) && len(r.Actions) < listedSteps {
			r.Actions = append(r.Actions, d.Action)
		}
		r.put(Step{Step: d.Step, Direction: d.Direction, WaitsFor: explain.ForOutcome, Action: d.Action, Attempt: d.Attempt, Since: at, Due: d.Due})
	case *domain.AttemptSucceeded:
		r.remove(d.Step)
	case *domain.AttemptFailed:
		r.Error = d.Cause.Message
		s := Step{Step: d.Step, Direction: d.Direction, Action: e.Action, Attempt: d.Attempt, Since: at, Due: d.RetryAt, Error: d.Cause.Message}
		switch {
		case d.Probe:
			s.WaitsFor = explain.ForProbe
			r.put(s)
		case !d.RetryAt.IsZero():
			s.WaitsFor = explain.ForRetry // of the do, of an undo, or of a probe
			r.put(s)
		default:
			r.remove(d.Step)
		}
	case *domain.AttemptHeartbeat:
		if s := r.step(d.Step); s != nil && s.WaitsFor == explain.ForOutcome {
			s.Due = d.Due
		}
	case *domain.OutcomeLate:
		if d.Cause != nil {
			r.Error = d.Cause.Message
		} else if d.Direction == domain.Do {
			r.drop(func(s *Step) bool { return s.Step == d.Step && s.WaitsFor != explain.ForOutcome })
		}
	case *domain.StepProbed:
		if d.RetryAt.IsZero() {
			r.remove(d.Step)
		} else {
			r.put(Step{Step: d.Step, Direction: domain.Do, WaitsFor: explain.ForRetry, Action: e.Action, Attempt: d.Attempt, Since: at, Due: d.RetryAt,
				Error: "a probe said " + string(d.Verdict)})
		}
	}
}

// foldStep folds the events of a step other than its attempts.
func (r *state) foldStep(e *projections.Event, at time.Time) {
	switch d := e.Event.(type) {
	case *domain.RunStuck:
		r.Error = d.Cause.Message
		if d.After != "" {
			// A late effect came after the run's end.
			r.State, r.Ended = domain.RunIsStuck, time.Time{}
		}
		r.put(Step{Step: d.Step, Direction: d.Direction, WaitsFor: explain.ForPerson, Action: e.Action, Attempt: e.Number, What: d.Incident, Since: at, Error: d.Cause.Message})
	case *domain.StepRetried:
		r.remove(d.Step)
	case *domain.StepResolved:
		r.remove(d.Step)
	case *domain.StepFailed:
		r.Error = d.Cause.Message
		r.remove(d.Step)
	case *domain.StepIgnored:
		r.remove(d.Step)
	case *domain.ItemFailed:
		r.Error = d.Cause.Message
		prefix := d.Step + "/" + strconv.Itoa(d.Item) + "/"
		r.drop(func(s *Step) bool {
			return strings.HasPrefix(s.Step, prefix) && s.Direction != domain.Undo && s.WaitsFor != explain.ForOutcome && s.WaitsFor != explain.ForChild
		})
	case *domain.TimerSet:
		r.put(Step{Step: d.Step, WaitsFor: explain.ForTime, Since: at, Due: d.Due})
	case *domain.TimerFired:
		r.remove(d.Step)
	case *domain.AwaitOpened:
		s := Step{Step: d.Step, WaitsFor: explain.ForSignal, What: d.Signal, Since: at, Due: d.Due}
		if d.Event != "" {
			s.WaitsFor, s.What = explain.ForEvent, d.Event
		}
		r.put(s)
	case *domain.AwaitMet:
		r.remove(d.Step)
	case *domain.ChildStarted:
		r.put(Step{Step: d.Step, Direction: domain.Do, WaitsFor: explain.ForChild, What: d.Run.String(), Since: at})
	case *domain.ChildTurnedBack:
		r.put(Step{Step: d.Step, Direction: domain.Undo, WaitsFor: explain.ForChild, What: d.Run.String(), Since: at})
	case *domain.ChildEnded:
		r.remove(d.Step)
	}
}

func (r *state) step(path string) *Step {
	if i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Step == path }); i >= 0 {
		return &r.Steps[i]
	}
	return nil
}

// put adds the step, or replaces it. A step is under way in only one direction at a time.
func (r *state) put(s Step) {
	if old := r.step(s.Step); old != nil {
		*old = s
		return
	}
	if len(r.Steps) >= listedSteps {
		if s.WaitsFor == explain.ForOutcome || s.WaitsFor == explain.ForTime || s.WaitsFor == explain.ForSignal || s.WaitsFor == explain.ForEvent || s.WaitsFor == explain.ForChild {
			r.More++ // the other kinds follow one of these and were counted then
		}
		return
	}
	r.Steps = append(r.Steps, s)
}

func (r *state) remove(path string) {
	before := len(r.Steps)
	r.drop(func(s *Step) bool { return s.Step == path })
	if len(r.Steps) == before && r.More > 0 {
		r.More--
	}
}

func (r *state) drop(which func(*Step) bool) {
	r.Steps = slices.DeleteFunc(r.Steps, func(s Step) bool { return which(&s) })
}
