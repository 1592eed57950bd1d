package offline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
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
		Long: `Check the hash chain of a run, or with --all those of all runs and the plans. The check names every event that was changed,
inserted, reordered, or removed from between others, and exits with code 12.

Hashes alone don't show that somebody rewrote all hashes after an event, or cut off the end of a run. --anchor does: it
compares with a file that "audit anchor" signed earlier and that was kept out of their reach.

The command reads the log itself: in the data directory while no server runs on it or, with --log, in an EventStoreDB
cluster or a server with --esdb-listen.`,
		Example: fmt.Sprintf(`  %[1]s audit verify --all --data DIR
  %[1]s audit verify --all --anchor anchor.ndjson --key anchor.pub --data DIR
  %[1]s audit verify order:4711 --log 'esdb://localhost:2113?tls=false'`, env.Program.Name),
		Args: console.Usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return console.UsageError{Err: errors.New("give a run, or --all")}
			}
			if !all {
				if err := env.CheckRun(args[0]); err != nil {
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
				v, err = verifyOne(cmd.Context(), env, log, args[0], anchors)
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

// verifyOne checks the run of that name.
func verifyOne(ctx context.Context, env *access.Env, log host.Log, name string, anchors []*verify.Anchor) (*verify.Report, error) {
	if !console.IsRunEnd(name) {
		id, err := env.ParseRun(name)
		if err != nil {
			return nil, err
		}
		return verify.Run(ctx, log, id, anchors...)
	}
	id, err := runs.Named(ctx, name, nil, func(ctx context.Context, _ runs.Filter) (runs.Page, error) { return endingSo(ctx, log, name) })
	if err != nil {
		return nil, err
	}
	return verify.Run(ctx, log, id, anchors...)
}

// endingSo finds the runs whose ids end so in the log itself, because there are no views offline.
func endingSo(ctx context.Context, log host.Log, end string) (page runs.Page, err error) {
	end = strings.ToLower(strings.ReplaceAll(end, "-", ""))
	seen := make(map[domain.RunID]bool)
	for e, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return page, err
		}
		if id, ok := domain.RunOfStream(e.Stream); ok && !seen[id] && strings.HasSuffix(strings.ReplaceAll(id.String(), "-", ""), end) {
			seen[id] = true
			row := runs.Row{ID: id}
			if f, err := domain.DecodeFact(&e); err == nil {
				if started, ok := f.Event.(*domain.RunStarted); ok {
					row.Saga, row.Key = started.Saga, started.Key
				}
			}
			page.Rows = append(page.Rows, row)
		}
	}
	return page, nil
}
