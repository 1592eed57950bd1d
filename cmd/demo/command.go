package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

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
			if o.Runs == 0 { // which is 30 in Options
				return errRuns(0)
			}
			// A terminal that is closed.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			if !asJSON {
				// Without this a reader that has seen enough (demo | head) would end the process in
				// the middle.
				signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
				o.Out = &watched{Writer: cmd.OutOrStdout(), cancel: cancel}
			}
			report, err := Run(ctx, o)
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

// watched ends the demo when nobody can read it any more.
type watched struct {
	io.Writer
	cancel context.CancelCauseFunc
}

// Write implements io.Writer.
func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if err != nil {
		w.cancel(fmt.Errorf("nobody reads the output: %w", err))
	}
	return n, err
}

// Fd is the terminal's, where the output is one.
func (w *watched) Fd() uintptr {
	if f, ok := w.Writer.(*os.File); ok {
		return f.Fd()
	}
	return ^uintptr(0)
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
