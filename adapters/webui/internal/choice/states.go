package choice

import (
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga/rejected"
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

// words are those that the addresses of pages take for the state of what they list.
var words = map[string][]string{
	"/runs":      nil, // see [search.CheckStates]
	"/incidents": {"open", string(incidents.Retrying), string(incidents.Resolved), "snoozed", "all"},
	"/rejected":  {string(rejected.Open), string(rejected.Started), string(rejected.Dismissed)},
}

// Check refuses a state that a page does not know.
func Check(page, state string) error {
	switch list, ok := words[page]; {
	case !ok || state == "":
		return nil
	case page != "/runs":
		return search.Check("state", state, list)
	case state != Unfinished:
		return search.CheckStates([]string{state}, runs.AllStates)
	}
	return nil
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
