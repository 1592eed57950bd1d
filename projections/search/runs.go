package search

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

// Runs reads a search for runs. Relative times count back from now, in whose zone dates are. The
// error is a [Error].
func Runs(text string, now time.Time, names Names) (runs.Filter, error) {
	return ofRuns.read(text, now, names)
}

type runsReading = reading[runs.Filter]

// groups are words for several states.
var groups = map[string][]domain.RunState{"unfinished": runs.Unfinished, "ended": runs.Ended}

// stateNames are the words that the condition state takes.
var stateNames = func() []string {
	var out []string
	for _, s := range runs.AllStates {
		out = append(out, string(s))
	}
	return append(out, "unfinished", "ended")
}()

var ofRuns = language[runs.Filter]{
	words: runText,
	id: func(f *runs.Filter, id uuid.UUID) {
		f.Matches = append(f.Matches, runs.Match{On: runs.OnID, Value: id.String()})
	},
	field: runField,
	conditions: []condition[runs.Filter]{
		{name: "state", form: "state:stuck", help: "in that state; repeat it for either", set: runState,
			values: func(Names, string) []string { return stateNames }},
		sagasOf("of that saga; repeat it for either", func(f *runs.Filter) *[]string { return &f.Sagas }),
		{name: "version", form: "version:2", help: "of that version; repeat it for either", set: func(r *runsReading, p *part) error {
			n, err := version(p.value)
			r.filter.Versions = append(r.filter.Versions, n)
			return err
		}},
		{name: "key", form: "key:KEY or key:BEGIN*", help: "started with that key", open: true, set: matchOnce(runs.OnKey)},
		{name: "id", form: "id:9b1c2f (its end) or id:0198c0de* (its beginning)", help: "with that id, or 6 digits of it", open: true, set: runIDPart},
		{name: "label", form: "label:NAME=VALUE, label:NAME=BEGIN* or label:NAME=*", help: "with that label", open: true, set: runLabel, values: labelValues},
		actionsOf("that tried the action; repeat it for either", func(f *runs.Filter) *[]string { return &f.Actions }),
		{name: "step", form: "step:PATH or step:BEGIN*", help: "that is at the step, or turned back there", open: true, set: match(runs.OnStep)},
		textOf("with these words, or words that begin so, in an error", runText),
		{name: "actor", form: "actor:NAME or actor:BEGIN*", help: "started by that actor", open: true, set: matchOnce(runs.OnActor), values: namesOf(runs.Actors)},
		runOf("parent", "the children of that run", func(f *runs.Filter) *domain.RunID { return &f.Parent }),
		{name: "attempts", form: "attempts:>5", help: "with so many attempts", set: runAttempts},
		periodOf("age", "age:>2h or age:<2h", "started longer ago, or less long", runPeriod),
		periodOf("since", "since:2h or since:2026-01-31", "started then or later", runPeriod),
		periodOf("until", "until:30m or until:2026-01-31", "started before", runPeriod),
		periodOf("ended-since", "ended-since:2h or ended-since:2026-01-31", "ended then or later", runEnd),
		periodOf("ended-until", "ended-until:30m or ended-until:2026-01-31", "ended before", runEnd),
	},
}

func runText(f *runs.Filter) *string                 { return &f.Text }
func runPeriod(f *runs.Filter) (from, to *time.Time) { return &f.From, &f.To }
func runEnd(f *runs.Filter) (from, to *time.Time)    { return &f.EndedFrom, &f.EndedTo }

func runState(r *runsReading, p *part) error {
	if group := groups[p.value]; group != nil {
		r.filter.States = append(r.filter.States, group...)
		return nil
	}
	if p.value == "held" {
		return errHeld
	}
	if err := Check("state", p.value, stateNames); err != nil {
		return err
	}
	r.filter.States = append(r.filter.States, domain.RunState(p.value))
	return nil
}

// errHeld says why no search finds what is held.
var errHeld = errors.New("what is held is not recorded in the runs, so no search finds it: the list shows held with each run that waits so, and the command holds lists the held actions")

// CheckStates refuses states of runs that do not exist, as the condition state does, and those that
// are not among the ones to choose from.
func CheckStates[S ~string](list []S, among []domain.RunState) error {
	names := make([]string, len(among))
	for i, s := range among {
		names[i] = string(s)
	}
	for _, s := range list {
		name := string(s)
		switch {
		case name == "held":
			return errHeld
		case slices.Contains(names, name):
		case slices.Contains(stateNames, name):
			return fmt.Errorf("%s is not among the states to choose from: there are %s", name, strings.Join(names, ", "))
		default:
			return Check("state", name, names)
		}
	}
	return nil
}

// match adds the condition on the subject.
func match(on runs.Subject) func(*runsReading, *part) error {
	return func(r *runsReading, p *part) error {
		r.filter.Matches = append(r.filter.Matches, runs.Match{On: on, Value: p.value, Begins: p.open})
		return nil
	}
}

// matchOnce is match for what a run has only one of.
func matchOnce(on runs.Subject) func(*runsReading, *part) error {
	return func(r *runsReading, p *part) error {
		if err := r.once(string(on)); err != nil {
			return err
		}
		return match(on)(r, p)
	}
}

func runIDPart(r *runsReading, p *part) error {
	m := runs.Match{On: runs.OnID, Value: p.value, Begins: p.open}
	r.filter.Matches = append(r.filter.Matches, m)
	return errors.Join(r.once("id"), m.Check())
}

func runLabel(r *runsReading, p *part) error {
	name, value, ok := strings.Cut(p.value, "=")
	if !ok || name == "" {
		return errors.New("write label:NAME=VALUE, or label:NAME=* for any value")
	}
	if err := r.names.CheckLabels(name); err != nil {
		return err
	}
	if err := r.once("label " + name); err != nil {
		return err
	}
	r.filter.Matches = append(r.filter.Matches, runs.Match{On: runs.OnLabel, Name: name, Value: value, Begins: p.open})
	return nil
}

func runField(r *runsReading, p *part) error {
	name := strings.ToLower(p.name[1:])
	if name == "" || p.value == "" && !p.open {
		return errors.New("write .FIELD:VALUE, .FIELD:BEGIN* or .FIELD:* for any value")
	}
	if names := r.names.all(runs.Fields); names != nil && !slices.Contains(names, name) {
		return fmt.Errorf("no run has a search field %s%s", name, didYouMean(name, names))
	}
	r.filter.Matches = append(r.filter.Matches, runs.Match{On: runs.OnField, Name: name, Value: p.value, Begins: p.open})
	return nil
}

func runAttempts(r *runsReading, p *part) error {
	op, text := comparison(p.value)
	n, err := number(text)
	if err != nil {
		return errors.New("write attempts:>5, attempts:<=3 or attempts:2")
	}
	f := &r.filter
	atMost := func(n int) {
		if f.MaxAttempts == nil || n < *f.MaxAttempts {
			f.MaxAttempts = &n
		}
	}
	switch op {
	case ">":
		f.MinAttempts = max(f.MinAttempts, n+1)
	case ">=":
		f.MinAttempts = max(f.MinAttempts, n)
	case "<":
		if n == 0 {
			return errors.New("no run has fewer than 0 attempts")
		}
		atMost(n - 1)
	case "<=":
		atMost(n)
	default:
		f.MinAttempts = max(f.MinAttempts, n)
		atMost(n)
	}
	return nil
}
