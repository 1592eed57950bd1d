package format

import (
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Tone is the colour of a run's state.
func Tone(s domain.RunState) string {
	switch s {
	case domain.RunRunning, domain.RunCompensating, domain.RunIsStuck, domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled, domain.RunIsAbandoned:
		return "t-" + string(s)
	}
	return "t-none"
}

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
