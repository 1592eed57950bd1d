package look

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/projections/runs"
)

// runFlags select runs.
type runFlags struct {
	states, sagas, labels     []string
	versions                  []int
	action, key, text, parent string
	console.Period
}

func (r *runFlags) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&r.states, "state", nil, "in that state: "+console.Joined(console.RunStates)+"; may be repeated")
	f.StringSliceVar(&r.sagas, "saga", nil, "of that saga or single action; may be repeated")
	f.IntSliceVar(&r.versions, "version", nil, "of that version; may be repeated")
	f.StringArrayVarP(&r.labels, "label", "l", nil, "with that label, NAME=VALUE; may be repeated, all must be there")
	f.StringVar(&r.action, "action", "", "that tried the action")
	f.StringVar(&r.key, "key", "", "that was started with the key")
	f.StringVar(&r.text, "error", "", "whose errors have these words, or words that begin so")
	f.StringVar(&r.parent, "parent", "", "the children of that run")
	r.Period.AddFlags(f, "started")
}

func (r *runFlags) filter() (f runs.Filter, err error) {
	if f.States, err = console.ParseStates(r.states); err != nil {
		return f, err
	}
	if f.Labels, err = console.ParseLabels(r.labels); err != nil {
		return f, err
	}
	if r.parent != "" {
		if f.Parent, err = console.ParseRun(r.parent); err != nil {
			return f, err
		}
	}
	for _, v := range r.versions {
		if v < 1 {
			return f, console.UsageError{Err: errors.New("--version: versions begin with 1")}
		}
	}
	f.Sagas, f.Versions, f.Action, f.Key, f.Text = r.sagas, r.versions, r.action, r.key, r.text
	f.From, f.To = r.Since.Time, r.Until.Time
	return f, nil
}
