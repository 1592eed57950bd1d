package offline

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/verify"
)

// AuditCommands returns the commands below audit that read the log itself.
func AuditCommands(env *access.Env) []*cobra.Command {
	return []*cobra.Command{newVerifyCommand(env), newAnchorCommand(env), newKeygenCommand(env)}
}

func newVerifyCommand(env *access.Env) *cobra.Command {
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
  %[1]s audit verify order:4711 --log 'esdb://localhost:2113?tls=false'`, env.Program.Name),
		Args: console.Usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return console.UsageError{Err: errors.New("give a run, or --all")}
			}
			var id domain.RunID
			var err error
			if !all {
				if id, err = console.ParseRun(args[0]); err != nil {
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
			return printVerification(env, v)
		},
	}
	o.addFlags(cmd, env)
	cmd.Flags().BoolVar(&all, "all", false, "check all runs")
	cmd.Flags().StringVar(&anchor, "anchor", "", "check against the anchor in the file as well")
	cmd.Flags().StringVar(&key, "key", "", "the anchor's key, private or public, or a file with it")
	return cmd
}
