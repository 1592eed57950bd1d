package act

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga"
)

// bulkFlags select unfinished runs and say what to do with them.
type bulkFlags struct {
	search                      string // as for the command runs
	sagas, states, labels, runs []string
	version, limit, first       int
	stopAfter                   int
	rate, after                 string
	watch                       time.Duration
	keyPrefix, action           string
	olderThan                   console.Duration
	reason, output              string
	all, dryRun, yes            bool
}

var bulkActs = []struct {
	act   saga.BulkAct
	short string
	done  string
}{
	{saga.BulkCancel, "Turn runs back: undo what they did", "cancelled"},
	{saga.BulkPause, "Keep runs from starting anything new", "paused"},
	{saga.BulkResume, "Let paused runs go on", "resumed"},
	{saga.BulkRetry, "Give the stuck steps of runs new attempts", "retried"},
	{saga.BulkSkip, "Go on without the stuck steps of runs", "resolved"},
	{saga.BulkSubstitute, "Go on as if the stuck steps of runs were done with an output", "resolved"},
	{saga.BulkAbandon, "Close runs with their effects left as they are", "abandoned"},
}

func newBulkCommand(env *access.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bulk",
		Short: "Steer all runs that a filter selects",
		Long: `Steer all unfinished runs that a filter selects. Each run is steered on its own: if one refuses, the others are still
steered. The runs are listed first, for a cancel with what it would undo. At a terminal the command then asks; elsewhere it
does nothing without --yes. A reason is required, and asked for at a terminal. --dry-run only lists.`,
		Example: fmt.Sprintf(`  %[1]s bulk retry --saga order --action charge-card --reason 'the card service is back'
  %[1]s bulk cancel --label tenant=acme --older-than 7d --dry-run`, env.Program.Name),
		Args: console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, a := range bulkActs {
		cmd.AddCommand(newBulkActCommand(env, a.act, a.short, a.done))
	}
	return cmd
}

func newBulkActCommand(env *access.Env, what saga.BulkAct, short, done string) *cobra.Command {
	var flags bulkFlags
	cmd := &cobra.Command{
		Use:   string(what) + " [SEARCH]...",
		Short: short,
		Long: short + `. The command acts on all unfinished runs that match every given condition. SEARCH is written as for the
command runs. The runs are listed first. At a terminal the command then asks; elsewhere it does nothing without --yes.
A reason is required, and asked for at a terminal. --dry-run only lists.

The command goes on to the last run, however long that takes. An interrupt ends it once the runs under way are dealt with. It then watches, for
a while, what becomes of the runs, and tells it. Of what is left it says the command that goes on from there.`,
		Example: fmt.Sprintf("  %s bulk %s 'saga:check* age:>1h label:tenant=acme' --reason 'strike' --dry-run", env.Program.Name, what),
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := console.NotEmpty(cmd.Flags(), "run", "saga", "version", "state", "key-prefix", "older-than", "action"); err != nil {
				return err
			}
			if cmd.Flags().Changed("first") && flags.first == 0 || cmd.Flags().Changed("stop-after") && flags.stopAfter == 0 {
				return console.UsageError{Err: errors.New("--first and --stop-after are numbers of runs, 1 or more")}
			}
			flags.search = strings.TrimSpace(search.InZone(strings.Join(args, " "), time.Local))
			r, err := flags.request(env, what)
			if err != nil {
				return err
			}
			env.Missing(r.Reason)
			if !flags.dryRun {
				if err := canGiveReason(env, "bulk "+string(what), r.Reason); err != nil {
					return err
				}
			}
			checked := r
			checked.DryRun = true // the reason may still be asked for
			checked.All = checked.All || flags.search != "" || len(flags.runs) > 0
			if err := checked.Validate(); err != nil {
				return console.UsageError{Err: err}
			}
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				if err := env.Named(ctx, c, flags.after, &r.After); err != nil {
					return err
				}
				for _, name := range flags.runs {
					var id domain.RunID
					if err := env.Named(ctx, c, name, &id); err != nil {
						return err
					}
					r.Filter.Runs = append(r.Filter.Runs, id)
				}
				return bulk(ctx, env, c, r, done, &flags)
			})
		},
	}
	flags.addFlags(cmd, what)
	env.Formats(cmd, console.FormatTable, console.FormatWide, console.FormatJSON)
	return cmd
}

func (b *bulkFlags) addFlags(cmd *cobra.Command, what saga.BulkAct) {
	f := cmd.Flags()
	f.StringSliceVar(&b.runs, "run", nil, "only this run: its id, its last 6 or more digits, or SAGA:KEY; repeatable")
	f.StringSliceVar(&b.sagas, "saga", nil, "only runs of this saga; repeatable")
	f.IntVar(&b.version, "version", 0, "only runs of this version")
	f.StringSliceVar(&b.states, "state", nil, "only runs in this state: running, compensating or stuck; repeatable")
	f.StringArrayVarP(&b.labels, "label", "l", nil, "only runs with this label, NAME=VALUE; repeatable, all must match")
	f.StringVar(&b.keyPrefix, "key-prefix", "", "only runs whose key begins with this text")
	f.Var(&b.olderThan, "older-than", "only runs that started at least this long ago, such as 90m or 7d")
	f.StringVar(&b.action, "action", "", "only runs stuck at a step of this action")
	f.BoolVar(&b.all, "all", false, "all unfinished runs; required if no condition is given")
	f.IntVar(&b.first, "first", 0, "only the N oldest runs, as a trial")
	f.StringVar(&b.rate, "rate", "", "at most this many runs in a second, minute or hour, such as 10/s or 30/m")
	f.IntVar(&b.stopAfter, "stop-after", 0, "stop after this many failures: runs that refuse, or soon get stuck again")
	f.IntVar(&b.limit, "limit", 1000, "at most this many runs in one go, oldest first; up to 10000")
	f.StringVar(&b.after, "after", "", "leave out the runs up to this one, oldest first: where an earlier command ended")
	f.DurationVar(&b.watch, "watch-for", watchFor, "how long to watch, after the act, what becomes of the runs: done, undone, stuck again")
	f.StringVarP(&b.reason, "reason", "r", "", "why, for the audit trail")
	f.BoolVar(&b.dryRun, "dry-run", false, "only list the runs")
	console.YesFlag(f, &b.yes)
	if what == saga.BulkSubstitute {
		f.StringVar(&b.output, "output-json", "", "the steps' output: JSON, @FILE, or - for standard input")
	}
}

// request is the request without the runs that --run names, whose names are only checked.
func (b *bulkFlags) request(env *access.Env, what saga.BulkAct) (saga.BulkRequest, error) {
	r := saga.BulkRequest{Act: what, All: b.all, Reason: b.reason, Limit: b.limit}
	f := &r.Filter
	f.Sagas, f.Version, f.KeyPrefix, f.OlderThan, f.Action = b.sagas, b.version, b.keyPrefix, time.Duration(b.olderThan), b.action
	if b.first < 0 || b.stopAfter < 0 {
		return r, console.UsageError{Err: errors.New("--first and --stop-after are numbers of runs, 1 or more")}
	}
	if b.first > 0 {
		r.Limit = min(b.first, b.limit)
	}
	if b.watch < 0 {
		return r, console.UsageError{Err: errors.New("--watch-for can't be negative")}
	}
	r.StopAfter = b.stopAfter
	var err error
	if r.Rate, err = domain.ParseRate(b.rate); err != nil {
		return r, console.UsageError{Err: fmt.Errorf("--rate: %w", err)}
	}
	if b.limit < 1 || b.limit > 10_000 || b.version < 0 {
		return r, console.UsageError{Err: errors.New("--limit is 1 to 10000, --version 1 or more")}
	}
	names := b.runs
	if b.after != "" {
		names = append(slices.Clone(names), b.after)
	}
	for _, s := range names {
		if err := env.CheckRun(s); err != nil {
			return r, err
		}
	}
	if f.States, err = console.ParseStates(b.states, runs.Unfinished); err != nil {
		return r, err
	}
	if f.Labels, err = console.ParseLabels(b.labels); err != nil {
		return r, err
	}
	none := b.search == "" && len(b.runs) == 0 && len(f.Sagas) == 0 && f.Version == 0 && len(f.States) == 0 && len(f.Labels) == 0 && f.KeyPrefix == "" && f.OlderThan == 0 && f.Action == ""
	if none != b.all {
		return r, console.UsageError{Err: errors.New("give a condition that selects runs, or --all, but not both")}
	}
	if what == saga.BulkSubstitute {
		if b.output == "" {
			return r, console.UsageError{Err: errors.New("bulk substitute needs --output-json: the output that the steps should have had")}
		}
		r.Output, err = env.ReadPayload(b.output)
	}
	return r, err
}

// bulk lists the runs, asks for confirmation, applies the act, and tells what became of the runs.
func bulk(ctx context.Context, env *access.Env, c *client.Client, r saga.BulkRequest, done string, flags *bulkFlags) error {
	if flags.dryRun || !flags.yes {
		dry := r
		dry.DryRun = true
		report, err := c.Bulk(ctx, bulkBody(&dry, flags.search))
		if err != nil {
			return err
		}
		if flags.dryRun {
			return printBulk(env, outcomeOf(&report, nil), &r, "would be "+done)
		}
		if report.Matched == 0 {
			return printBulk(env, outcomeOf(&report, nil), &r, done)
		}
		if err := env.Confirm(ctx, bulkPlan(env, &r, &report), flags.yes); err != nil {
			return err
		}
	}
	var err error
	if r.Reason, err = needReason(ctx, env, "bulk "+string(r.Act), r.Reason); err != nil {
		return err
	}
	report, err := perform(ctx, env, c, r, flags.search)
	if err != nil && len(report.Results) == 0 {
		return err
	}
	var now map[domain.RunID]became
	if err == nil {
		now = settle(ctx, env, c, &report, r.Act, flags.watch)
	}
	out := outcomeOf(&report, now)
	if printed := printBulk(env, out, &r, done); printed != nil {
		return printed
	}
	switch {
	case err != nil:
		err = fmt.Errorf("%d of %d runs were dealt with: %w", len(report.Results), report.Matched, err)
	case report.Stopped:
		err = fmt.Errorf("%w: %d, with %s left", ErrStopped, report.Failed+report.StuckAgain, counted(report.Matched-len(report.Results)))
	case report.Failed > 0:
		err = fmt.Errorf("%w: %d of %d: the table says why", ErrSomeRefused, report.Failed, len(report.Results))
	default:
		return nil
	}
	return &BulkError{err}
}

// bulkPlan returns the plan of a bulk act, made from its dry run. The act selects the runs again,
// so it includes runs that match only by then.
func bulkPlan(env *access.Env, r *saga.BulkRequest, dry *saga.BulkReport) console.Plan {
	does := fmt.Sprintf("%s %s", r.Act, counted(len(dry.Results)))
	if dry.Failed > 0 {
		does += fmt.Sprintf(", of which %d would refuse", dry.Failed)
	}
	return console.Plan{Does: does, Value: dry, Show: func(c *console.Console) error {
		l := bulkListing(&access.Env{Console: c, Program: env.Program})
		rows := outcomeOf(dry, nil).Results
		if err := l.Page(wire.Page[bulkRow]{Items: rows[:min(maxPlanned, len(rows))]}); err != nil {
			return err
		}
		if n := len(dry.Results); n > maxPlanned {
			if _, err := fmt.Fprintf(c.Out, "… and %d more\n", n-maxPlanned); err != nil {
				return err
			}
		}
		return printForeseen(c.Out, dry, r.Act)
	}}
}

// maxPlanned is how many runs of a plan are printed for people.
const maxPlanned = 20
