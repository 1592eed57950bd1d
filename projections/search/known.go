package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/story"
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

// CheckSagas refuses sagas that do not exist, as the condition saga does.
func (n Names) CheckSagas(list ...string) error { return n.check(runs.Sagas, "saga", list) }

// CheckActions refuses actions that do not exist, as the condition action does.
func (n Names) CheckActions(list ...string) error { return n.check(runs.Actions, "action", list) }

// CheckLabels refuses labels that no run has, by their names, as the condition label does.
func (n Names) CheckLabels(list ...string) error {
	all := n.all(runs.Labels)
	for _, name := range list {
		if all != nil && !slices.Contains(all, name) {
			return fmt.Errorf("no run has a label %.100s%s", name, didYouMean(name, all))
		}
	}
	return nil
}

// CheckRun refuses a SAGA:KEY whose saga does not exist. It passes other texts.
func (n Names) CheckRun(name string) error {
	saga, key, ok := strings.Cut(name, ":")
	if !ok || saga == "" || key == "" {
		return nil
	}
	return n.CheckSagas(saga)
}

// run returns the run that a text names, as everywhere: by its id, the last digits of it, or
// SAGA:KEY.
func (n Names) run(text string) (domain.RunID, error) {
	id, err := runs.Named(context.Background(), text, nil, func(context.Context, runs.Filter) (runs.Page, error) {
		var page runs.Page
		if n == nil {
			return page, errors.New("runs can't be looked up here: give the whole id, or SAGA:KEY")
		}
		list := n(runs.Ends, text)
		if list == nil {
			return page, errors.New("runs can't be looked up now: give the whole id, or SAGA:KEY")
		}
		for _, run := range list {
			page.Rows = append(page.Rows, namedRun(run))
		}
		return page, nil
	})
	if err != nil {
		return id, err
	}
	return id, n.CheckRun(text)
}

// namedRun reads a run of [runs.Ends].
func namedRun(text string) (row runs.Row) {
	id, name, _ := strings.Cut(text, " ")
	row.ID, _ = uuid.Parse(id) // it is a run of the view
	row.Saga, row.Key, _ = strings.Cut(name, " ")
	return row
}

func (n Names) check(of runs.Of, what string, list []string) error {
	if len(list) == 0 {
		return nil
	}
	all := n.all(of)
	for _, name := range list {
		if all == nil {
			break
		}
		if err := Check(what, name, all); err != nil {
			return err
		}
	}
	return nil
}

// Check refuses a word that is none of those that there are. what says what the words are for.
func Check(what, word string, words []string) error {
	if slices.Contains(words, word) {
		return nil
	}
	return fmt.Errorf("no %s is called %.100s%s", what, word, didYouMean(word, words))
}

// CheckWhats refuses acts and outcomes that do not exist, as the condition what does.
func CheckWhats(list ...string) error {
	whats := story.Whats()
	for _, name := range list {
		if !slices.Contains(whats, name) {
			return fmt.Errorf("there is no act or outcome %s%s", name, didYouMean(name, whats))
		}
	}
	return nil
}

// Known returns the names that a program registers together with those that ask returns: a saga
// that nobody registers any more may have runs. Where ask fails, as long as a view is not there,
// the registered names count alone, and other names are not known. only, if not empty, are the
// sagas that the reader may see: then nothing is known but these.
func Known(ask func(of runs.Of, prefix string) ([]string, error), sagas, actions, only []string) Names {
	return func(of runs.Of, prefix string) []string {
		if len(only) > 0 {
			switch of {
			case runs.Sagas:
				return begun(only, prefix)
			case runs.Ends:
				list, err := ask(of, prefix)
				if err != nil {
					return nil
				}
				return slices.DeleteFunc(list, func(run string) bool { return !slices.Contains(only, namedRun(run).Saga) })
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
