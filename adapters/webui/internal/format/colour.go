package format

import (
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
)

// Tone is the colour of a run's state.
func Tone(s domain.RunState) string {
	if slices.Contains(runs.AllStates, s) {
		return "t-" + string(s)
	}
	return "t-none"
}

// Shown is the state of a run that people should see, in the words of the lists.
func Shown(why *explain.Reason) domain.RunState {
	if s := domain.RunState(why.Standing); s != runs.StateWorking && slices.Contains(runs.AllStates, s) {
		return s
	}
	return why.State
}

// Stands is the state of a run of which only its standing and its own state are known, as lists
// show it. A hold is shown like a pause.
func Stands(s explain.Standing, own domain.RunState) domain.RunState {
	if s == explain.Held {
		return runs.StatePaused
	}
	return Shown(&explain.Reason{Standing: s, State: own})
}

// State is a run's state as people read it.
func State(s domain.RunState) string { return strings.ReplaceAll(string(s), "-", " ") }

// Tint is the colour of a step's phase.
func Tint(p machine.Phase) string {
	switch p {
	case machine.Ready, machine.Running, machine.ProbeDue, machine.Probing, machine.Active:
		return "p-active"
	case machine.Backoff, machine.ProbeBackoff:
		return "p-retry"
	case machine.Waiting:
		return "p-wait"
	case machine.Done:
		return "p-done"
	case machine.Failed, machine.Ignored:
		return "p-failed"
	case machine.Stuck, machine.UndoStuck, machine.UndoFailed:
		return "p-stuck"
	case machine.UndoDue, machine.Undoing, machine.UndoBackoff:
		return "p-undoing"
	case machine.Undone:
		return "p-undone"
	case machine.Untouched, machine.Skipped:
		return "p-skipped"
	case machine.Left:
		return "p-left"
	}
	return "p-idle"
}
