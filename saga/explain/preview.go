package explain

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Move is what one line of an undo preview does.
type Move string

// The moves of an undo.
const (
	// MoveAwait waits for the outcome of an attempt that is in flight.
	MoveAwait Move = "await"
	// MoveUndo undoes a step.
	MoveUndo Move = "undo"
	// MoveUndoChild has a child run undo itself.
	MoveUndoChild Move = "undo child"
	// MoveProbe asks whether an attempt in doubt took effect.
	MoveProbe Move = "probe"
	// MoveLeave leaves an effect behind that the saga's author accepted to leave.
	MoveLeave Move = "leave"
	// MoveStuck makes the run stuck: the effect can't be undone.
	MoveStuck Move = "stuck"
	// MoveHandler runs a failure handler.
	MoveHandler Move = "failure handler"
)

// PreviewStep is one line of an undo preview.
type PreviewStep struct {
	// Wave counts from 1: the steps of a wave go on at the same time, and the next wave
	// begins when they are through.
	Wave   int          `json:"wave"`
	Do     Move         `json:"do"`
	Step   string       `json:"step"`
	Action string       `json:"action,omitempty"`
	Run    domain.RunID `json:"run,omitzero"`
	// Input and Output are what the undo is told.
	Input  json.RawMessage `json:"input,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
	// InDoubt means that the step may have had no effect: there may be nothing to undo.
	InDoubt bool `json:"in_doubt,omitempty"`
	// Note says what to expect, for people.
	Note string `json:"note,omitempty"`
}

// Preview is what cancelling a run would do.
type Preview struct {
	// Revision is that of the run which the preview is of.
	Revision int64 `json:"revision"`
	// Refused says why the run can't be cancelled; the rest is then empty.
	Refused string `json:"refused,omitempty"`
	// Pending means that the cancel would wait until it is known whether the irreversible step that
	// Steps names takes effect: its success makes the cancel moot, its failure lets it proceed.
	Pending bool `json:"pending,omitempty"`
	// Paused means that the run is paused: it is undone only once it is resumed.
	Paused bool          `json:"paused,omitempty"`
	Steps  []PreviewStep `json:"steps,omitempty"`
	// Ends is the state in which the run would end if every undo succeeds.
	Ends domain.RunState `json:"ends,omitempty"`
	// Left lists the steps whose effect would be left.
	Left []string `json:"left,omitempty"`
}

// maxPreview bounds the number of events that a preview plays through.
const maxPreview = 100_000

// PreviewCancel plays a cancel through, on the machine itself, as if every attempt in flight and
// every undo succeeded, and tells what would happen in which order. It consumes s: the caller has
// folded it for this and drops it.
func PreviewCancel(s *machine.State, now time.Time) Preview {
	p := preview{s: s, now: now}
	out := Preview{Revision: s.Revision, Paused: s.Paused}
	if s.Turning && s.End == "" { // it is on its way back already: tell what is left to do
		s.Paused = false
		p.unstick()
	} else {
		events, err := machine.Decide(s, machine.Cancel{Reason: "preview"}, now)
		if err != nil && !errors.As(err, new(domain.AlreadyError)) {
			return Preview{Revision: out.Revision, Refused: err.Error()}
		}
		s.Paused = false
		if s.Cancel != nil || len(events) == 1 && isCancelRequest(events[0]) {
			return Preview{Revision: out.Revision, Pending: true, Steps: []PreviewStep{pendingStep(s.Irreversible())}}
		}
		p.fold(events)
	}
	p.play()
	p.s.Steps(func(st *machine.Step) {
		if st.Phase == machine.Left && st.ByHand {
			p.tell(st, MoveLeave, "a person did its work by hand: no undo takes that back")
		} else if st.Phase == machine.Left && st.Node.Accepted != "" {
			p.tell(st, MoveLeave, "its author accepts that it stays: "+st.Node.Accepted)
		}
	})
	out.Steps, out.Ends, out.Left = p.steps, p.s.Status(), p.s.Left
	return out
}

func isCancelRequest(e domain.Event) bool {
	_, ok := e.(*domain.CancelRequested)
	return ok
}

func pendingStep(st *machine.Step) PreviewStep {
	if st == nil {
		return PreviewStep{Wave: 1, Do: MoveAwait}
	}
	note := "it can't be undone: a success makes the cancel moot, a failure lets it proceed"
	if st.Phase == machine.Stuck {
		note = "it can't be undone, and may have happened: substitute its output if it did, which makes the cancel moot; skip it if not"
	}
	return PreviewStep{Wave: 1, Do: MoveAwait, Step: st.Path, Action: st.Node.Action.Name, Input: st.Input, InDoubt: st.InDoubt, Note: note}
}

// preview plays a state to its end.
type preview struct {
	s     *machine.State
	now   time.Time
	wave  int
	n     int
	steps []PreviewStep
}

func (p *preview) fold(events []domain.Event) {
	for _, e := range events {
		p.n++
		p.s = machine.Evolve(p.s, domain.Fact{Event: e, Meta: domain.Meta{At: p.now}, Revision: uint64(p.s.Revision + 1)})
	}
}

// decide folds what the machine decides and reports whether it decided anything.
func (p *preview) decide(in machine.Intent) bool {
	events, err := machine.Decide(p.s, in, p.now)
	p.fold(events)
	return err == nil && len(events) > 0
}

// play alternates between what the state owes and the outcomes that it waits for, until neither is
// left.
func (p *preview) play() {
	for p.n < maxPreview && p.s.End == "" {
		if p.owed() {
			continue
		}
		if !p.outcomes() {
			return
		}
	}
	for p.n < maxPreview && p.owed() { // handlers that the end itself brought
		p.outcomes()
	}
}

// unstick tells where an undo is stuck, and grants it new attempts, to tell what follows.
func (p *preview) unstick() {
	var stuck []*machine.Step
	p.s.StuckSteps(func(st *machine.Step) {
		if st.Phase == machine.UndoStuck {
			stuck = append(stuck, st)
		}
	})
	for _, st := range stuck {
		p.tell(st, MoveStuck, "its undo is stuck: nothing before it is undone until somebody retries or skips it")
		p.decide(machine.Retry{Step: st.Path})
	}
}

// owed answers everything that is owed now.
func (p *preview) owed() bool {
	type duty struct {
		d  machine.Duty
		st *machine.Step
	}
	var list []duty
	p.s.Todo(p.now, func(d machine.Duty, st *machine.Step) bool {
		list = append(list, duty{d, st})
		return true
	})
	progress := false
	for _, o := range list {
		switch o.d {
		case machine.Conclude:
			if o.st.Phase == machine.UndoFailed && o.st.Undo.N == 0 {
				p.tell(o.st, MoveStuck, "its effect can't be undone: the run gets stuck here and needs a person")
			}
			progress = p.decide(machine.Consequence{Step: o.st.Path}) || progress
		case machine.Start:
			progress = p.decide(machine.Begin{Step: o.st.Path}) || progress
		case machine.TurnNow:
			progress = p.decide(machine.Proceed{}) || progress
		case machine.End:
			progress = p.decide(machine.Finish{}) || progress
		}
	}
	return progress
}

// outcomes lets everything succeed that is in flight, as one wave, and ends the waits that stand in
// the way.
func (p *preview) outcomes() bool {
	p.wave++
	var flying []machine.Attempt
	p.s.InFlight(func(a machine.Attempt) { flying = append(flying, a) })
	var children []*machine.Step
	p.s.Children(func(st *machine.Step, back bool) {
		if back {
			children = append(children, st)
		}
	})
	var later []*machine.Step
	p.s.Open(func(st *machine.Step) {
		if st.Phase == machine.UndoBackoff || st.Phase == machine.ProbeBackoff || st.Phase == machine.Backoff && st.Handler {
			later = append(later, st)
		}
	})
	progress := false
	for _, a := range flying {
		progress = p.succeed(a) || progress
	}
	for _, st := range children {
		p.tell(st, MoveUndoChild, "the child run undoes itself")
		progress = p.decide(machine.ChildSeen{Step: st.Path, Run: st.Child, State: domain.RunIsCompensated}) || progress
	}
	if !progress && len(later) > 0 {
		// Undos and probes that wait for their next attempt: take them as due.
		for _, st := range later {
			if at := st.Tries(st.Direction()).RetryAt; at.After(p.now) {
				p.now = at
			}
		}
		p.wave--
		return true
	}
	return progress
}

func (p *preview) succeed(a machine.Attempt) bool {
	st := a.Step
	switch {
	case a.Direction == domain.Undo:
		p.tell(st, MoveUndo, "")
	case a.Direction == domain.Probe:
		p.tell(st, MoveProbe, "asks whether the attempt in doubt took effect; it is undone if it may have")
		return p.decide(machine.Outcome{Step: st.Path, Direction: domain.Probe, Attempt: a.Number, Verdict: domain.Unknown})
	case st.Handler:
		p.tell(st, MoveHandler, "")
	default:
		p.tell(st, MoveAwait, "it is in flight: its outcome is awaited, and undone where it may have had an effect")
	}
	return p.decide(machine.Outcome{Step: st.Path, Direction: a.Direction, Attempt: a.Number, Output: json.RawMessage("null")})
}

func (p *preview) tell(st *machine.Step, do Move, note string) {
	line := PreviewStep{Wave: max(p.wave, 1), Do: do, Step: st.Path, InDoubt: st.InDoubt && do != MoveAwait, Note: note, Run: st.Child}
	if st.Node.Action != nil {
		line.Action = st.Node.Action.Name
	}
	if do == MoveUndo {
		line.Input, line.Output = st.Input, st.Output
		if st.InDoubt {
			line.Note = "it is not known whether it took effect"
		}
	}
	p.steps = append(p.steps, line)
}
