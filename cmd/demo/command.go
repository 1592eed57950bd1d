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

// ErrViolated means that the systems contradict the recorded ends of the runs.
var ErrViolated = errors.New("invariants are broken")

// Commands returns the command demo, and the hidden command that it runs as a second process.
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
HTTP; or it undoes all of that. The CRM is flaky on purpose. All parts are real and run in this
process. The coordinator runs in another process, which is killed in mid-flight and started again
on the same directory. At the end the demo checks in the parts themselves that each run ended as
the log says.

With --data four runs are left in the directory for you to steer: one is stuck, one waits for a signal, one is paused, and
one is tried again later. The last lines say how.

It needs nothing but this program: no network and no configuration.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Runs == 0 { // in Options 0 would mean 30
				return errRuns(0)
			}
			// SIGHUP: the terminal was closed.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			if !asJSON {
				// Without this, a reader that closes the pipe (demo | head) would kill the process
				// in the middle.
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
	f.Uint64Var(&o.Seed, "seed", 0, "decides who signs up and how the CRM behaves; 0 picks one at random")
	f.StringVar(&o.Data, "data", "", "keep everything in this new directory (default: a temporary one, removed at the end)")
	f.BoolVar(&asJSON, "json", false, "print a report as JSON, and nothing else")
	return cmd
}

// watched ends the demo when nobody can read its output any more.
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

// Fd returns the file descriptor of the terminal, if the output is one.
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
