package search

import (
	"slices"
	"strings"

	"github.com/atonehq/atone/projections/runs"
)

// Names lists names that exist and begin with the prefix, for [runs.LabelValues] as NAME=PREFIX. It
// returns nil where that is not known: then every name is accepted. A nil Names knows nothing.
type Names func(of runs.Of, prefix string) []string

func (n Names) all(of runs.Of) []string {
	if n == nil {
		return nil
	}
	return n(of, "")
}

// Known returns the names that a program registers together with those that ask returns: a saga
// that nobody registers any more may have runs. Where ask fails, as long as a view is not there,
// the registered names count alone, and other names are not known. only, if not empty, are the
// sagas that the reader may see: then nothing is known but these.
func Known(ask func(of runs.Of, prefix string) ([]string, error), sagas, actions, only []string) Names {
	return func(of runs.Of, prefix string) []string {
		if len(only) > 0 {
			if of == runs.Sagas {
				return begun(only, prefix)
			}
			return nil
		}
		list, err := ask(of, prefix)
		if err != nil && of != runs.Sagas && of != runs.Actions {
			return nil
		}
		list = slices.Clone(list)
		switch of {
		case runs.Sagas:
			list = append(list, begun(sagas, prefix)...)
			// An action by itself is a run of that name.
			list = append(list, begun(actions, prefix)...)
		case runs.Actions:
			list = append(list, begun(actions, prefix)...)
		}
		slices.Sort(list)
		if list = slices.Compact(list); list == nil {
			return []string{}
		}
		return list
	}
}

// begun returns the names that begin with the prefix.
func begun(names []string, prefix string) (out []string) {
	for _, n := range names {
		if strings.HasPrefix(n, prefix) {
			out = append(out, n)
		}
	}
	return out
}
