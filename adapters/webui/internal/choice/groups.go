package choice

import (
	"slices"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

// Group is a choice of states above the list of runs.
type Group struct {
	Name, Label string
	Count       int // of the runs that the search finds, -1 where it isn't known
}

// State is the group's name as a state. For "all", and for groups of several states, it is not a
// state of runs.
func (g Group) State() domain.RunState { return domain.RunState(g.Name) }

// Groups returns the choices of state, with the number of runs that the search finds in each. It
// leaves out additional states, such as waiting, that no run is in.
func Groups(chosen string, counts map[domain.RunState]int) (out []Group) {
	sum := func(states []domain.RunState) (n int) {
		for _, s := range states {
			n += counts[s]
		}
		return n
	}
	known := func(n int) int {
		if counts == nil {
			return -1
		}
		return n
	}
	out = append(out, Group{"", "all", known(sum(runs.Unfinished) + sum(runs.Ended))}, Group{Unfinished, Unfinished, known(sum(runs.Unfinished))})
	for _, s := range runs.AllStates {
		own := slices.Contains(runs.Unfinished, s) || slices.Contains(runs.Ended, s)
		if own || s != runs.StateWorking && counts[s] > 0 || string(s) == chosen {
			out = append(out, Group{string(s), format.State(s), known(counts[s])})
		}
	}
	return out
}
