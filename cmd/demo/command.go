package demo

import (
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"
)

// ErrViolated means that the systems contradict the runs' ends.
var ErrViolated = errors.New("invariants are broken")

// Commands returns the command demo, and the hidden one that it runs as another process.
func Commands() []*cobra.Command {
	return []*cobra.Command{newDemoCommand(), newWorkerCommand()}
}

func newDemoCommand() *cobra.Command {
	var o Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch sign-ups succeed, retry, be undone and survive a kill -9",
		Long: `Watch sign-ups succeed, retry, be undone and survive a kill -9.

A sign-up makes an account in a SQLite table, sends a welcome mail over SMTP and tells a CRM over
HTTP, which is flaky on purpose; or it undoes all of that. All parts are real and run in this
process; the coordinator runs in another one, which is killed in mid-flight and started again on
the same directory. At the end the parts themselves are asked whether every run's end is true.

Nothing is needed besides this program: no network, no configuration.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !asJSON {
				o.Out = cmd.OutOrStdout()
			}
			report, err := Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(report); err != nil {
					return err
				}
			}
			return report.Err()
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Runs, "runs", 30, "how many people sign up, 1 to 500")
	f.Uint64Var(&o.Seed, "seed", 0, "who signs up and how the CRM behaves; 0 draws one")
	f.StringVar(&o.Data, "data", "", "keep everything in this new directory (default: a temporary one, removed at the end)")
	f.BoolVar(&asJSON, "json", false, "print a report as JSON, and nothing else")
	return cmd
}

func newWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    WorkerCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runWorker(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
