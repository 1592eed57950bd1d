package act

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
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
	rate                        string
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
A reason is required, and asked for at a terminal. --dry-run only lists.`,
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
	r.StopAfter = b.stopAfter
	var err error
	if r.Rate, err = domain.ParseRate(b.rate); err != nil {
		return r, console.UsageError{Err: fmt.Errorf("--rate: %w", err)}
	}
	if b.limit < 1 || b.limit > 10_000 || b.version < 0 {
		return r, console.UsageError{Err: errors.New("--limit is 1 to 10000, --version 1 or more")}
	}
	for _, s := range b.runs {
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

// bulkBody returns the body of the API's request.
func bulkBody(r *saga.BulkRequest, search string) wire.Bulk {
	f := &r.Filter
	var runs []string
	for _, id := range f.Runs {
		runs = append(runs, id.String())
	}
	return wire.Bulk{Act: r.Act, All: r.All, Reason: r.Reason, Output: r.Output, DryRun: r.DryRun, Limit: r.Limit, Rate: r.Rate, StopAfter: r.StopAfter,
		Filter: wire.BulkFilter{Q: search, Runs: runs, Sagas: f.Sagas, Version: f.Version, States: f.States, Labels: f.Labels,
			KeyPrefix: f.KeyPrefix, OlderThan: domain.Duration(f.OlderThan), Action: f.Action}}
}

// bulk lists the runs, asks for confirmation, and applies the act.
func bulk(ctx context.Context, env *access.Env, c *client.Client, r saga.BulkRequest, done string, flags *bulkFlags) error {
	if flags.dryRun || !flags.yes {
		dry := r
		dry.DryRun = true
		report, err := c.Bulk(ctx, bulkBody(&dry, flags.search))
		if err != nil {
			return err
		}
		if flags.dryRun {
			return printBulk(env, &report, r.Act, "would be "+done)
		}
		if report.Matched == 0 {
			return printBulk(env, &report, r.Act, done)
		}
		if err := env.Confirm(bulkPlan(env, &r, &report), flags.yes); err != nil {
			return err
		}
	}
	var err error
	if r.Reason, err = needReason(env, "bulk "+string(r.Act), r.Reason); err != nil {
		return err
	}
	report, err := c.Bulk(ctx, bulkBody(&r, flags.search))
	if err != nil && len(report.Results) == 0 {
		return err
	}
	if err = errors.Join(err, printBulk(env, &report, r.Act, done)); err != nil {
		return err
	}
	if report.Failed > 0 {
		return fmt.Errorf("%w: %d of %d: the table says why", ErrSomeRefused, report.Failed, len(report.Results))
	}
	return nil
}

// ErrSomeRefused means that some runs refused a bulk act.
var ErrSomeRefused = errors.New("some runs refused")

// bulkPlan returns the plan of a bulk act, made from its dry run. The act selects the runs again,
// so it includes runs that match only by then.
func bulkPlan(env *access.Env, r *saga.BulkRequest, dry *saga.BulkReport) console.Plan {
	runs := "1 run"
	if n := len(dry.Results); n != 1 {
		runs = fmt.Sprintf("%d runs", n)
	}
	return console.Plan{Does: fmt.Sprintf("%s %s", r.Act, runs), Value: dry, Show: func(c *console.Console) error {
		l := bulkListing(&access.Env{Console: c, Program: env.Program})
		if err := l.Page(wire.Page[saga.BulkResult]{Items: dry.Results[:min(maxPlanned, len(dry.Results))]}); err != nil {
			return err
		}
		text := foreseen(dry, r.Act)
		if n := len(dry.Results); n > maxPlanned {
			text = fmt.Sprintf("… and %d more\n", n-maxPlanned) + text
		}
		_, err := io.WriteString(c.Out, console.Plain(text))
		return err
	}}
}

// foreseen says in a line what a bulk act would undo, or leave; empty for one that does neither.
func foreseen(dry *saga.BulkReport, what saga.BulkAct) string {
	if dry.Undo == nil {
		return ""
	}
	text := "would undo: "
	if what == saga.BulkAbandon {
		text = "would leave without its undo: "
	}
	text += dry.Foreseen()
	if dry.Failed > 0 {
		text += fmt.Sprintf("; %d would refuse", dry.Failed)
	}
	return text + "\n"
}

// maxPlanned is how many runs of a plan are printed for people.
const maxPlanned = 20

func bulkListing(env *access.Env) *console.Listing[saga.BulkResult] {
	type row = saga.BulkResult
	return &console.Listing[row]{Console: env.Console, None: "no such runs", Columns: []console.Column[row]{
		{Name: "RUN", Text: func(r row) string { return r.Run.String() }, Short: func(r row) string { return console.ShortID(r.Run) }},
		{Name: "SAGA", Rank: 1, Text: func(r row) string { return fmt.Sprintf("%s v%d", r.Saga, r.Version) }},
		{Name: "STATE", Text: func(r row) string { return string(r.State) }, Look: func(p tty.Palette, r row, s string) string { return console.LookState(p, r.State, s) }},
		{Name: "ERROR", Long: true, Text: func(r row) string { return r.Error }, Look: func(p tty.Palette, _ row, s string) string { return p.Bad(s) }},
	}}
}

// afterBulk are the steps after a bulk act, or after its dry run.
func afterBulk(env *access.Env, report *saga.BulkReport) (steps []console.Step) {
	if report.DryRun {
		if len(report.Results) == 0 {
			return nil
		}
		again := *env.Console
		again.Line = slices.DeleteFunc(slices.Clone(env.Line), func(w string) bool { return strings.HasPrefix(w, "--dry-run") })
		return []console.Step{again.AgainStep("does it", "--yes")}
	}
	if i := slices.IndexFunc(report.Results, func(r saga.BulkResult) bool { return r.Error != "" }); i >= 0 {
		steps = append(steps, console.Step{Command: env.CommandLine("why", report.Results[i].Run.String()), Why: "tells what a run that refused waits for"})
	}
	if report.StuckAgain > 0 {
		steps = append(steps, console.Step{Command: env.CommandLine("incidents"), Why: "tells why runs are stuck again"})
	}
	if report.More {
		steps = append(steps, env.AgainStep("goes on with the rest"))
	}
	return steps
}

func printBulk(env *access.Env, report *saga.BulkReport, what saga.BulkAct, done string) error {
	if env.JSON() {
		return env.PrintJSON(report, afterBulk(env, report)...)
	}
	if err := bulkListing(env).Page(wire.Page[saga.BulkResult]{Items: report.Results}); err != nil || report.Matched == 0 {
		return err
	}
	n := report.Done
	if report.DryRun {
		n = len(report.Results) - report.Failed
		if _, err := io.WriteString(env.Err, console.Plain(foreseen(report, what))); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%d runs %s", n, done)
	if report.StuckAgain > 0 {
		text += fmt.Sprintf(", of which %d are stuck again", report.StuckAgain)
	}
	if report.Stopped {
		text += "; stopped after too many failures"
	}
	if report.More {
		text += fmt.Sprintf("; %d match in all: give the command again, or a larger --limit", report.Matched)
	}
	_, err := fmt.Fprintln(env.Err, text)
	return err
}
