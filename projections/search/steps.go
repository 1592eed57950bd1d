package search

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

// StepsOf turns the search of an act on stuck steps into what the act needs: it takes the action of
// these steps out of the filter and returns it, empty for all. Without it, the filter finds the
// runs that have such steps, or have runs below them that do, whatever they tried themselves. given
// is the action that was given besides the search, empty for none. An act on whole runs is left as
// it is.
func StepsOf(f *runs.Filter, act domain.BulkAct, given string) (action string, err error) {
	if !act.StuckOnly() {
		return given, nil
	}
	if slices.ContainsFunc(f.Matches, func(m runs.Match) bool { return m.On == runs.OnStep }) {
		return given, fmt.Errorf("%s acts on every stuck step of a run, so its search takes no step: write action:NAME", act)
	}
	switch {
	case len(f.Actions) > 1:
		return given, fmt.Errorf("%s acts on the stuck steps of one action: give one action, not %s", act, strings.Join(f.Actions, ", "))
	case len(f.Actions) == 1 && given != "" && given != f.Actions[0]:
		return given, errors.New("action is given twice: give it in the search or by itself")
	case len(f.Actions) == 1:
		given, f.Actions = f.Actions[0], nil
	}
	if len(f.States) == 0 || slices.Equal(f.States, runs.Unfinished) {
		f.States = []domain.RunState{domain.RunIsStuck, runs.StateStuckBelow}
	}
	return given, nil
}
