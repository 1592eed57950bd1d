package program

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/projections/runs"
)

// timeFlag is a point in time on the command line.
type timeFlag struct{ time.Time }

// String implements [pflag.Value].
func (t *timeFlag) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// Set implements [pflag.Value].
func (t *timeFlag) Set(s string) error {
	if ago, err := accept.ParseAge(s); err == nil {
		t.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			if at.IsZero() {
				at = at.Add(1) // it would be taken for no time
			}
			t.Time = at
			return accept.Time("it", at)
		}
	}
	return fmt.Errorf("%q is no time: write how long ago (90m, 24h, 7d), a date (2026-01-31), or RFC 3339 (2026-01-31T08:00:00Z)", s)
}

// Type implements [pflag.Value].
func (*timeFlag) Type() string { return "time" }

// ageFlag is a duration that may be given in days.
type ageFlag time.Duration

// String implements [pflag.Value].
func (a *ageFlag) String() string {
	if *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

// Set implements [pflag.Value].
func (a *ageFlag) Set(s string) error {
	d, err := accept.ParseAge(s)
	*a = ageFlag(d)
	return err
}

// Type implements [pflag.Value].
func (*ageFlag) Type() string { return "duration" }

// period are the flags that bound a time.
type period struct{ since, until timeFlag }

func (p *period) addFlags(f *pflag.FlagSet, of string) {
	f.Var(&p.since, "since", of+" at that time or later: 90m or 7d ago, 2026-01-31, or RFC 3339")
	f.Var(&p.until, "until", of+" before that time")
}

var runStates = []domain.RunState{domain.RunRunning, domain.RunCompensating, domain.RunIsStuck, domain.RunIsCompleted,
	domain.RunIsCompensated, domain.RunIsCancelled, domain.RunIsAbandoned}

// parseStates reads states of runs.
func parseStates(names []string) ([]domain.RunState, error) {
	var out []domain.RunState
	for _, n := range names {
		if !slices.Contains(runStates, domain.RunState(n)) {
			return nil, usageError{fmt.Errorf("--state %q: use %s", n, joined(runStates))}
		}
		out = append(out, domain.RunState(n))
	}
	return out, nil
}

func joined[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

// parseLabels reads labels given as NAME=VALUE.
func parseLabels(list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	labels := make(map[string]string, len(list))
	for _, l := range list {
		if err := accept.Label(labels, l); err != nil {
			return nil, usageError{err}
		}
	}
	return labels, nil
}

// notEmpty refuses conditions that are given but say nothing (--saga "$SAGA" with SAGA unset): the command would
// do to all what was meant for some.
func notEmpty(f *pflag.FlagSet, conditions ...string) error {
	for _, name := range conditions {
		flag := f.Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		switch value := flag.Value.String(); value {
		case "", "[]", "0", "0s":
			return usageError{fmt.Errorf("--%s is given without a value: say which, or leave it away", name)}
		}
	}
	return nil
}

// runFlags select runs.
type runFlags struct {
	states, sagas, labels     []string
	versions                  []int
	action, key, text, parent string
	period
}

func (r *runFlags) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&r.states, "state", nil, "in that state: "+joined(runStates)+"; may be repeated")
	f.StringSliceVar(&r.sagas, "saga", nil, "of that saga or single action; may be repeated")
	f.IntSliceVar(&r.versions, "version", nil, "of that version; may be repeated")
	f.StringArrayVarP(&r.labels, "label", "l", nil, "with that label, NAME=VALUE; may be repeated, all must be there")
	f.StringVar(&r.action, "action", "", "that tried the action")
	f.StringVar(&r.key, "key", "", "that was started with the key")
	f.StringVar(&r.text, "error", "", "whose errors have these words, or words that begin so")
	f.StringVar(&r.parent, "parent", "", "the children of that run")
	r.period.addFlags(f, "started")
}

func (r *runFlags) filter() (f runs.Filter, err error) {
	if f.States, err = parseStates(r.states); err != nil {
		return f, err
	}
	if f.Labels, err = parseLabels(r.labels); err != nil {
		return f, err
	}
	if r.parent != "" {
		if f.Parent, err = parseRun(r.parent); err != nil {
			return f, err
		}
	}
	for _, v := range r.versions {
		if v < 1 {
			return f, usageError{errors.New("--version: versions begin with 1")}
		}
	}
	f.Sagas, f.Versions, f.Action, f.Key, f.Text = r.sagas, r.versions, r.action, r.key, r.text
	f.From, f.To = r.since.Time, r.until.Time
	return f, nil
}
