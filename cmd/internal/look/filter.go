package look

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/projections/runs"
)

// runFlags select runs.
type runFlags struct {
	states, sagas, labels, actions []string
	versions                       []int
	key, text, parent              string
	console.Period
}

func (r *runFlags) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&r.states, "state", nil, "only runs in this state: "+console.Joined(runs.AllStates)+"; repeatable")
	f.StringSliceVar(&r.sagas, "saga", nil, "only runs of this saga or single action; repeatable")
	f.IntSliceVar(&r.versions, "version", nil, "only runs of this version; repeatable")
	f.StringArrayVarP(&r.labels, "label", "l", nil, "only runs with this label, NAME=VALUE; repeatable, all must match")
	f.StringSliceVar(&r.actions, "action", nil, "only runs that tried this action; repeatable")
	f.StringVar(&r.key, "key", "", "only the run that was started with this key")
	f.StringVar(&r.text, "error", "", "only runs with these words, or beginnings of words, in an error")
	f.StringVar(&r.parent, "parent", "", "only children of this run: its id, its last 6 or more digits, or SAGA:KEY")
	r.Period.AddFlags(f, "started")
}

// filter is the filter without the parent run, whose name is only checked: [access.Env.Named] sets
// it.
func (r *runFlags) filter(env *access.Env) (f runs.Filter, err error) {
	if f.States, err = console.ParseStates(r.states, runs.AllStates); err != nil {
		return f, err
	}
	if f.Labels, err = console.ParseLabels(r.labels); err != nil {
		return f, err
	}
	if r.parent != "" {
		if err := env.CheckRun(r.parent); err != nil {
			return f, err
		}
	}
	for _, v := range r.versions {
		if v < 1 {
			return f, console.UsageError{Err: errors.New("--version: versions begin with 1")}
		}
	}
	f.Sagas, f.Versions, f.Actions, f.Key, f.Text = r.sagas, r.versions, r.actions, r.key, r.text
	f.From, f.To = r.Since.Time, r.Until.Time
	return f, nil
}
