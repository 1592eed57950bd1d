package choice

import (
	"context"
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

// Shown returns of runs that an act would be done to the states that people should see, as lists
// show them. It leaves out runs that the view does not know as they are now.
func Shown(ctx context.Context, of []domain.BulkResult, find func(context.Context, runs.Filter) (runs.Page, error)) map[domain.RunID]domain.RunState {
	out := make(map[domain.RunID]domain.RunState, len(of))
	ids := make([]domain.RunID, len(of))
	for i := range of {
		ids[i] = of[i].Run
	}
	if len(ids) == 0 {
		return out
	}
	page, err := find(ctx, runs.Filter{IDs: ids, Limit: len(ids)})
	if err != nil {
		return out // their own states are known
	}
	for i := range page.Rows {
		r := &page.Rows[i]
		if slices.ContainsFunc(of, func(b domain.BulkResult) bool { return b.Run == r.ID && b.State == r.State }) {
			out[r.ID] = r.States()[0]
		}
	}
	return out
}
