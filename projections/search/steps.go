package search

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

// StepsOf has an act on the stuck steps of runs leave alone the steps that the search for the runs
// does not mean: it returns the action whose steps are meant, empty for all. given is the action
// that was given besides the search, empty for none. An act on whole runs is not narrowed.
func StepsOf(f *runs.Filter, act domain.BulkAct, given string) (action string, err error) {
	if !act.StuckOnly() {
		return given, nil
	}
	if slices.ContainsFunc(f.Matches, func(m runs.Match) bool { return m.On == runs.OnStep }) {
		return given, fmt.Errorf("%s acts on every stuck step of a run, so its search takes no step: write action:NAME", act)
	}
	switch {
	case len(f.Actions) == 0:
		return given, nil
	case len(f.Actions) > 1:
		return given, fmt.Errorf("%s acts on the stuck steps of one action: give one action, not %s", act, strings.Join(f.Actions, ", "))
	case given != "" && given != f.Actions[0]:
		return given, errors.New("action is given twice: give it in the search or by itself")
	}
	return f.Actions[0], nil
}
