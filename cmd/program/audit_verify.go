package program

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/verify"
)

// errTampered means that the log is not as it was written.
var errTampered = errors.New("the log is not as it was written")

// offline are the flags of commands that read a log itself.
type offline struct{ log string }

func (o *offline) addFlags(cmd *cobra.Command, env *environment) {
	cmd.Flags().StringVar(&o.log, "log", env.getenv("ATONE_LOG"), "read the log at an esdb:// connection string, not the one in --data (ATONE_LOG)")
}

// open opens the log. A server's API does not do: it redacts what the hashes are made over.
func (o *offline) open(env *environment) (eventLog, error) {
	logger := env.logger(slog.LevelWarn)
	if o.log != "" && !env.flags.Changed("data") {
		log, err := eventstoredb.Open(eventstoredb.Config{Connection: o.log, Logger: logger})
		if err != nil {
			return nil, usageError{fmt.Errorf("--log: %w", err)}
		}
		return log, nil
	}
	if env.remote() {
		return nil, usageError{errors.New("this reads the log itself, not a server's API: give --data with the directory or a copy of it while no server runs on it, or --log 'esdb://HOST:2113?tls=false' for a server with --esdb-listen")}
	}
	log, err := env.openLog(logger, true)
	if err != nil {
		return nil, err
	}
	return log, nil
}

func newVerifyCommand(env *environment) *cobra.Command {
	var (
		o           offline
		all         bool
		anchor, key string
	)
	cmd := &cobra.Command{
		Use:   "verify [RUN]",
		Short: "Check that nobody changed, removed, inserted or reordered events",
		Long: `Check the hash chain of a run, or with --all those of all runs and the plans: any event that was changed, removed from
between others, inserted or reordered is named, and the exit code is 12.

Somebody who rewrites all hashes after an event, or cuts off a run's end, is found out with --anchor: a file that
"audit anchor" signed earlier and that was kept out of their reach.

The log is read itself, offline; with --log, in an EventStoreDB cluster or a server with --esdb-listen.`,
		Example: fmt.Sprintf(`  %[1]s audit verify --all --data DIR
  %[1]s audit verify --all --anchor anchor.ndjson --key anchor.pub --data DIR
  %[1]s audit verify order:4711 --log 'esdb://localhost:2113?tls=false'`, env.app.Name),
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return usageError{errors.New("give a run, or --all")}
			}
			var id domain.RunID
			var err error
			if !all {
				if id, err = parseRun(args[0]); err != nil {
					return err
				}
			}
			anchors, err := readAnchors(anchor, key)
			if err != nil {
				return err
			}
			log, err := o.open(env)
			if err != nil {
				return err
			}
			var v *verify.Report
			if all {
				v, err = verify.All(cmd.Context(), log, anchors...)
			} else {
				v, err = verify.Run(cmd.Context(), log, id, anchors...)
			}
			if err = errors.Join(err, log.Close()); err != nil {
				return err
			}
			return env.printVerification(v)
		},
	}
	o.addFlags(cmd, env)
	cmd.Flags().BoolVar(&all, "all", false, "check all runs")
	cmd.Flags().StringVar(&anchor, "anchor", "", "check against the anchor in the file as well")
	cmd.Flags().StringVar(&key, "key", "", "the anchor's key, private or public, or a file with it")
	return cmd
}

// printVerification writes what a check found; findings make it an error.
func (env *environment) printVerification(v *verify.Report) error {
	if env.json() {
		findings := v.Findings
		if findings == nil {
			findings = []verify.Finding{}
		}
		if err := env.printJSON(map[string]any{"ok": v.OK(), "runs": v.Runs, "events": v.Events, "anchored": v.Anchored,
			"found": v.Found, "findings": findings}); err != nil {
			return err
		}
	} else {
		for _, f := range v.Findings {
			if _, err := fmt.Fprintln(env.Out, plain(f.String())); err != nil {
				return err
			}
		}
		anchored := ""
		if v.Anchored > 0 {
			anchored = fmt.Sprintf(", %d of them vouched for by the anchor", v.Anchored)
		}
		if v.OK() {
			if _, err := fmt.Fprintf(env.Out, "%s: %d events of %d runs are as they were written%s\n", env.colours().Good("ok"), v.Events, v.Runs, anchored); err != nil {
				return err
			}
		}
	}
	if v.OK() {
		return nil
	}
	return fmt.Errorf("%w: %d findings in %d events of %d runs", errTampered, v.Found, v.Events, v.Runs)
}
