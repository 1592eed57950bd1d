package machine

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Duty is what a state owes at once.
type Duty uint8

// The duties.
const (
	// Evaluate the step's expression with the definition's code and answer with the
	// intent for its kind: Evaluated, Chosen, Listed, Timed, Opened.
	Evaluate Duty = iota
	// Start the step's attempt with Begin.
	Start
	// Pass the pivot with Passed.
	Pass
	// Expand the answer of a plan node's planner with Planned.
	Expand
	// Conclude from the step's failure with Consequence.
	Conclude
	// End the run with Finish, after evaluating the return expression where the plan has one.
	End
	// TurnNow carries out the cancel that waited, with Proceed.
	TurnNow
)

// Todo calls f for everything that the state owes at the given time, in the order in which
// it came up, until f returns false. While the run is paused nothing is started. The state must
// not be changed by f before Todo returns.
func (s *State) Todo(now time.Time, f func(Duty, *Step) bool) {
	if s.Cancel != nil && s.canTurnBack() && !f(TurnNow, nil) {
		return
	}
	for st := s.todo.head; st != nil; st = st.nxt {
		d := st.duty()
		if s.Paused && d != Conclude && d != Expand || s.Cancel != nil && d == Pass {
			continue // a pivot would make a cancel moot that waits for an irreversible attempt's outcome
		}
		if !f(d, st) {
			return
		}
	}
	if !s.Paused {
		for _, st := range s.waits.retries.due(now) {
			if !f(Start, st) {
				return
			}
		}
	}
	if s.mayEnd() {
		f(End, nil)
	}
}

// mayEnd reports whether the run's end is owed: its root is done or settled, and no undo is open. One is where an
// effect came after the undo of its step, which its parent did not wait for.
func (s *State) mayEnd() bool {
	return s.finish && s.End == "" && s.waits.undos == 0
}

func (st *Step) duty() Duty {
	switch st.Phase {
	case Failed, UndoFailed:
		return Conclude
	case ProbeDue, UndoDue:
		return Start
	}
	switch st.Node.Kind {
	case domain.KindPivot:
		return Pass
	case domain.KindPlan:
		return Expand
	case domain.KindDo:
		if st.Handler || len(st.Input) > 0 || st.given() != nil || st.plannerRound() > 1 {
			return Start
		}
	}
	return Evaluate
}

// knownInput returns the input of a step that needs no definition's code: a failure
// handler's report, a planned step's input, the results so far for a planner.
func (s *State) knownInput(st *Step) json.RawMessage {
	if st.Handler {
		return s.report(st.About)
	}
	if in := st.given(); in != nil {
		return in
	}
	return st.results()
}

// plannerRound returns the round of which the step is the planner, or 0.
func (st *Step) plannerRound() int {
	if st.parent != nil && st.parent.Node.Kind == domain.KindPlan && st.index%2 == 0 {
		return st.index/2 + 1
	}
	return 0
}

// PlannerInput is the JSON shape of a planner's input.
type PlannerInput struct {
	// Round counts from 1.
	Round int `json:"round"`
	// Input is the plan step's own.
	Input json.RawMessage `json:"input"`
	// Results are the steps of the round before, in order. Logs of earlier versions have those of all rounds.
	Results []PlannedResult `json:"results,omitempty"`
	// Carry is what the planner returned with the round before, to be given back.
	Carry json.RawMessage `json:"carry,omitempty"`
}

// PlannedResult is the end of a planned step, as a planner sees it.
type PlannedResult struct {
	Round  int             `json:"round"`
	Step   string          `json:"step"`
	Action string          `json:"action"`
	Output json.RawMessage `json:"output,omitempty"`
	// Failed is the reason, where the step failed and was ignored.
	Failed string `json:"failed,omitempty"`
}

// results builds the input of the planner of round 2 and later. It has the results of the last round only, or else a
// run of n rounds would record each result n times.
func (st *Step) results() json.RawMessage {
	p := st.parent
	var first PlannerInput
	_ = json.Unmarshal(p.kids[0].Input, &first) // the machine wrote it
	in := PlannerInput{Round: st.plannerRound(), Input: first.Input}
	if in.Round < 2 {
		return marshal(in) // only a history that was made up has it begin so
	}
	in.Carry = carried(p.kids[st.index-2].Output)
	for _, k := range p.kids[st.index-1].kids {
		r := PlannedResult{Round: in.Round - 1, Step: k.Node.Name, Action: k.Node.Action.Name, Output: k.Output}
		if k.Phase == Ignored && k.Cause != nil {
			r.Failed = k.Cause.Message
		}
		in.Results = append(in.Results, r)
	}
	return marshal(in)
}

// carried returns what a planner's answer has for the planner of the next round.
func carried(answer json.RawMessage) json.RawMessage {
	var a struct {
		Carry json.RawMessage `json:"carry"`
	}
	if json.Unmarshal(answer, &a) != nil || string(a.Carry) == "null" {
		return nil // what is not an answer has planned nothing
	}
	return a.Carry
}

func marshal(v any) json.RawMessage {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return json.RawMessage("null") // its payloads were valid JSON when they were recorded
	}
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n"))
}

// Report is the JSON shape of a failure handler's input.
type Report struct {
	Run     domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	Input   json.RawMessage `json:"input,omitempty"`
	// State is the run's state when the handler was started.
	State domain.RunState `json:"state"`
	// Step is the step that failed, empty in the report of a run.
	Step  string          `json:"step,omitempty"`
	Cause *domain.Failure `json:"cause,omitempty"`
	// StepInput is the failed step's input.
	StepInput json.RawMessage `json:"step_input,omitempty"`
	// Undone lists the steps that were undone, NotUndone those whose effect stands.
	Undone    []string `json:"undone,omitempty"`
	NotUndone []string `json:"not_undone,omitempty"`
}

// shortReport is the report without what may be large: the handler finds it in the run.
func (s *State) shortReport(about *Step) json.RawMessage {
	r := Report{Run: s.Run, Saga: s.Start.Saga, Version: s.Start.Version, State: s.Status(), Cause: s.Cause}
	if about != nil {
		r.Step, r.Cause = about.Path, about.Cause
	}
	return marshal(r)
}

func (s *State) report(about *Step) json.RawMessage {
	r := Report{Run: s.Run, Saga: s.Start.Saga, Version: s.Start.Version, Input: s.Start.Input, State: s.Status(), Cause: s.Cause, NotUndone: s.effects()}
	if about != nil {
		r.Step, r.Cause, r.StepInput = about.Path, about.Cause, about.Input
	}
	s.Steps(func(st *Step) {
		if st.Phase == Undone && (st.Node.Kind == domain.KindDo || st.Node.Kind == domain.KindChild) {
			r.Undone = append(r.Undone, st.Path)
		}
	})
	return marshal(r)
}

// Attempt is an attempt in flight, with everything that its worker needs.
type Attempt struct {
	Step      *Step
	Direction domain.Direction
	Number    int
	Due       time.Time
	// Cancelled means that its outcome will be undone: it had better stop.
	Cancelled bool
	// Node is the coordinator whose queue carries it.
	Node string
}

// InFlight calls f for every attempt without an outcome.
func (s *State) InFlight(f func(Attempt)) {
	for st := s.watch.head; st != nil; st = st.nxt {
		st.inFlight(f)
	}
}

// InFlightIn is InFlight for one item of an each.
func (s *State) InFlightIn(each string, item int, f func(Attempt)) {
	if st := s.steps[each]; st != nil && item >= 0 && item < len(st.kids) && st.kids[item] != nil {
		st.kids[item].walk(func(st *Step) { st.inFlight(f) })
	}
}

func (st *Step) inFlight(f func(Attempt)) {
	if st.Phase != Running && st.Phase != Undoing && st.Phase != Probing {
		return
	}
	dir := st.inFlightDirection()
	if t := st.tries(dir); t.Running {
		f(Attempt{Step: st, Direction: dir, Number: t.N, Due: t.Due, Cancelled: st.Turning && dir == domain.Do, Node: t.Node})
	}
}

// InHands reports whether somebody is at work on the run: an attempt is in flight, or a child run under way.
func (s *State) InHands() bool {
	return s.waits.flying > 0 || s.waits.children > 0
}

// Children calls f for every child run that is to exist; back means that it is to be undone.
func (s *State) Children(f func(st *Step, back bool)) {
	for st := s.watch.head; st != nil; st = st.nxt {
		if st.Node.Kind == domain.KindChild && (st.Phase == Waiting || st.Phase == Undoing) {
			f(st, st.Phase == Undoing)
		}
	}
}

// Awaits calls f for every open await of a domain event.
func (s *State) Awaits(f func(st *Step)) {
	for st := s.watch.head; st != nil; st = st.nxt {
		if st.Phase == Waiting && st.Event != "" {
			f(st)
		}
	}
}

// StuckSteps calls f for every step that needs a person.
func (s *State) StuckSteps(f func(*Step)) {
	for st := s.watch.head; st != nil; st = st.nxt {
		if st.Phase == Stuck || st.Phase == UndoStuck {
			f(st)
		}
	}
}

// Quiet reports whether nothing is in flight or owed: the run waits for a time, a signal, a
// person, or has ended for good.
func (s *State) Quiet() bool { w := s.Wake(); return !w.Busy }
