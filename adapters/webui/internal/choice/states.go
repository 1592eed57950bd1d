package choice

import (
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

// Unfinished is the choice of all runs that have not ended.
const Unfinished = "unfinished"

// Both returns the states that are in both lists. An empty list means all states. If no state is in
// both, it returns a state that no run has.
func Both(a, b []domain.RunState) []domain.RunState {
	if len(a) == 0 || len(b) == 0 {
		return append(slices.Clone(a), b...)
	}
	out := slices.DeleteFunc(slices.Clone(a), func(s domain.RunState) bool { return !slices.Contains(b, s) })
	if len(out) == 0 {
		return []domain.RunState{"none"}
	}
	return out
}

// States returns the states of a choice above the list of runs: one of them, or [Unfinished].
func States(group string) []domain.RunState {
	switch {
	case group == Unfinished:
		return runs.Unfinished
	case group == "" || !slices.Contains(runs.AllStates, domain.RunState(group)):
		return nil
	}
	return []domain.RunState{domain.RunState(group)}
}
