package look

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpcall"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/saga/data"
)

// newSagasCheckCommand returns the command sagas check.
func newSagasCheckCommand(env *access.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Check files of sagas over the actions and sagas of this program",
		Long: `Check sagas that are data: files in YAML or JSON (docs/sagas-as-data.md), or folders of them, over the actions and sagas
that this program has. Files may start the sagas of the others that are given.

Everything that is wrong is told at once, one problem a line: file, line, column, and a sentence. The exit code is then
1. Nothing is started, no server is asked and no log is opened: whether a version has another plan in a log shows when
the server starts.`,
		Example: fmt.Sprintf("  %[1]s sagas check signup.yaml\n  %[1]s sagas check sagas/", env.Program.Name),
		Args:    console.Usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, paths []string) error {
			env.Program.WithoutSamples()
			calls := httpcall.New(httpcall.Config{Secrets: func(string) (string, error) { return "unread", nil }})
			set, err := data.Load(data.Uses{Actions: env.Program.Actions, Sagas: env.Program.Sagas, Calls: calls}, paths...)
			var bad *data.ProblemsError
			if errors.As(err, &bad) {
				return fmt.Errorf("%d problems:\n%w", len(bad.Problems), err)
			}
			if err != nil {
				return err
			}
			list := make([]checked, 0, len(set.Actions)+len(set.Sagas))
			for _, a := range set.Actions {
				list = append(list, checked{Action: a.ActionName()})
			}
			for _, s := range set.Sagas {
				name, version := s.SagaName()
				plan, err := s.Plan()
				if err != nil {
					return err
				}
				list = append(list, checked{Saga: name, Version: version, Hash: plan.Hash()})
			}
			if env.JSON() {
				return env.PrintJSON(list)
			}
			for _, s := range list {
				if s.Action != "" {
					if _, err := fmt.Fprintf(env.Out, "action %s is good\n", s.Action); err != nil {
						return err
					}
					continue
				}
				if _, err := fmt.Fprintf(env.Out, "%s v%d is good: plan %.12s\n", s.Saga, s.Version, s.Hash); err != nil {
					return err
				}
			}
			if len(list) == 0 {
				_, err = fmt.Fprintln(env.Err, "no file there ends in .yaml, .yml or .json")
			}
			return err
		},
	}
}

// checked is a saga or an action of a file that is good.
type checked struct {
	Action  string `json:"action,omitempty"`
	Saga    string `json:"saga,omitempty"`
	Version int    `json:"version,omitempty"`
	Hash    string `json:"hash,omitempty"`
}
