package act

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// bulkFlags select unfinished runs and say how to deal with them.
type bulkFlags struct {
	sagas, states, labels, runs []string
	version, limit              int
	keyPrefix, action           string
	olderThan                   console.Duration
	reason, output              string
	all, dryRun, yes            bool
}

var bulkActs = []struct {
	act        saga.BulkAct
	short      string
	done       string
	needReason bool
}{
	{saga.BulkCancel, "Turn runs back: undo what they did", "cancelled", false},
	{saga.BulkPause, "Keep runs from starting anything new", "paused", false},
	{saga.BulkResume, "Let paused runs go on", "resumed", false},
	{saga.BulkRetry, "Give the stuck steps of runs new attempts", "retried", false},
	{saga.BulkSkip, "Go on without the stuck steps of runs", "resolved", false},
	{saga.BulkSubstitute, "Go on as if the stuck steps of runs were done with an output", "resolved", false},
	{saga.BulkAbandon, "Close runs with their effects left as they are", "abandoned", true},
}

func newBulkCommand(env *access.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bulk",
		Short: "Steer all runs that a filter selects",
		Long: `Steer all unfinished runs that a filter selects, each on its own: one that refuses does not keep the others from it. The
runs are listed first, and a person is asked; --yes answers beforehand, --dry-run only lists.`,
		Example: fmt.Sprintf(`  %[1]s bulk retry --saga order --action charge-card --reason 'the card service is back'
  %[1]s bulk cancel --label tenant=acme --older-than 7d --dry-run`, env.Program.Name),
		Args: console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, a := range bulkActs {
		cmd.AddCommand(newBulkActCommand(env, a.act, a.short, a.done, a.needReason))
	}
	return cmd
}

func newBulkActCommand(env *access.Env, what saga.BulkAct, short, done string, needReason bool) *cobra.Command {
	var flags bulkFlags
	cmd := &cobra.Command{
		Use:   string(what),
		Short: short,
		Long: short + `, all those that the filter selects. All conditions that are given must hold. The runs are listed first,
and a person is asked; --yes answers beforehand, --dry-run only lists.`,
		Example: fmt.Sprintf("  %s bulk %s --saga order --older-than 1h --reason 'strike' --dry-run", env.Program.Name, what),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := console.NotEmpty(cmd.Flags(), "run", "saga", "version", "state", "key-prefix", "older-than", "action"); err != nil {
				return err
			}
			r, err := flags.request(env, what)
			if err != nil {
				return err
			}
			if needReason && r.Reason == "" {
				return console.UsageError{Err: fmt.Errorf("bulk %s needs a --reason: it is recorded for good", what)}
			}
			if err := r.Validate(); err != nil {
				return console.UsageError{Err: err}
			}
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				return bulk(ctx, env, c, r, done, &flags)
			})
		},
	}
	flags.addFlags(cmd, what)
	env.Formats(cmd, console.FormatTable, console.FormatJSON)
	return cmd
}

func (b *bulkFlags) addFlags(cmd *cobra.Command, what saga.BulkAct) {
	f := cmd.Flags()
	f.StringSliceVar(&b.runs, "run", nil, "only that run; may be repeated")
	f.StringSliceVar(&b.sagas, "saga", nil, "of that saga; may be repeated")
	f.IntVar(&b.version, "version", 0, "of that version")
	f.StringSliceVar(&b.states, "state", nil, "in that state: running, compensating or stuck; may be repeated")
	f.StringArrayVarP(&b.labels, "label", "l", nil, "with that label, NAME=VALUE; may be repeated, all must be there")
	f.StringVar(&b.keyPrefix, "key-prefix", "", "whose key begins so")
	f.Var(&b.olderThan, "older-than", "started at least that long ago, such as 90m or 7d")
	f.StringVar(&b.action, "action", "", "stuck at a step of that action")
	f.BoolVar(&b.all, "all", false, "all unfinished runs: needed where no condition is given")
	f.IntVar(&b.limit, "limit", 1000, "at most that many runs in one go, oldest first; up to 10000")
	f.StringVarP(&b.reason, "reason", "r", "", "why, for the audit trail")
	f.BoolVar(&b.dryRun, "dry-run", false, "only list the runs")
	f.BoolVarP(&b.yes, "yes", "y", false, "don't ask")
	if what == saga.BulkSubstitute {
		f.StringVar(&b.output, "output-json", "", "the steps' output: JSON, @FILE, or - for standard input")
	}
}

func (b *bulkFlags) request(env *access.Env, what saga.BulkAct) (saga.BulkRequest, error) {
	r := saga.BulkRequest{Act: what, All: b.all, Reason: b.reason, Limit: b.limit}
	f := &r.Filter
	f.Sagas, f.Version, f.KeyPrefix, f.OlderThan, f.Action = b.sagas, b.version, b.keyPrefix, time.Duration(b.olderThan), b.action
	if b.limit < 1 || b.limit > 10_000 || b.version < 0 {
		return r, console.UsageError{Err: errors.New("--limit is 1 to 10000, --version 1 or more")}
	}
	for _, s := range b.runs {
		id, err := console.ParseRun(s)
		if err != nil {
			return r, err
		}
		f.Runs = append(f.Runs, id)
	}
	var err error
	if f.States, err = console.ParseStates(b.states); err != nil {
		return r, err
	}
	if f.Labels, err = console.ParseLabels(b.labels); err != nil {
		return r, err
	}
	none := len(f.Runs) == 0 && len(f.Sagas) == 0 && f.Version == 0 && len(f.States) == 0 && len(f.Labels) == 0 && f.KeyPrefix == "" && f.OlderThan == 0 && f.Action == ""
	if none != b.all {
		return r, console.UsageError{Err: errors.New("select runs by a condition, or say --all, but not both")}
	}
	if what == saga.BulkSubstitute {
		if b.output == "" {
			return r, console.UsageError{Err: errors.New("bulk substitute needs --output-json: the output that the steps should have had")}
		}
		r.Output, err = env.ReadPayload(b.output)
	}
	return r, err
}

// bulkBody is the request as the API takes it.
func bulkBody(r *saga.BulkRequest) wire.Bulk {
	f := &r.Filter
	return wire.Bulk{Act: r.Act, All: r.All, Reason: r.Reason, Output: r.Output, DryRun: r.DryRun, Limit: r.Limit,
		Filter: wire.BulkFilter{Runs: f.Runs, Sagas: f.Sagas, Version: f.Version, States: f.States, Labels: f.Labels,
			KeyPrefix: f.KeyPrefix, OlderThan: domain.Duration(f.OlderThan), Action: f.Action}}
}

// bulk lists the runs, asks, and does it.
func bulk(ctx context.Context, env *access.Env, c *client.Client, r saga.BulkRequest, done string, flags *bulkFlags) error {
	if flags.dryRun || !flags.yes {
		dry := r
		dry.DryRun = true
		report, err := c.Bulk(ctx, bulkBody(&dry))
		if err != nil {
			return err
		}
		if flags.dryRun {
			return printBulk(env, &report, "would be "+done)
		}
		if report.Matched == 0 {
			return printBulk(env, &report, done)
		}
		if err := confirm(env, &r, &report); err != nil {
			return err
		}
	}
	report, err := c.Bulk(ctx, bulkBody(&r))
	if err != nil && len(report.Results) == 0 {
		return err
	}
	if err = errors.Join(err, printBulk(env, &report, done)); err != nil {
		return err
	}
	if report.Failed > 0 {
		return fmt.Errorf("%d of %d runs refused: the table says why", report.Failed, len(report.Results))
	}
	return nil
}

// confirm asks a person whether it is meant. What it writes goes to standard error, so that
// programs can read the report. The runs that are dealt with are selected anew: those that came to
// match meanwhile are among them.
func confirm(env *access.Env, r *saga.BulkRequest, report *saga.BulkReport) error {
	shown := &access.Env{Console: &console.Console{Out: env.Err, Err: env.Err}}
	l := bulkListing(shown)
	if err := l.Page(wire.Page[saga.BulkResult]{Items: report.Results[:min(20, len(report.Results))]}); err != nil {
		return err
	}
	if n := len(report.Results); n > 20 {
		// The question follows, which tells the number.
		_, _ = fmt.Fprintf(env.Err, "… and %d more\n", n-20)
	}
	which := "this run"
	if n := len(report.Results); n != 1 {
		which = fmt.Sprintf("these %d runs", n)
	}
	if _, err := fmt.Fprintf(env.Err, "%s %s? [y/N] ", r.Act, which); err != nil {
		return err
	}
	answer, _ := bufio.NewReader(env.In).ReadString('\n') // no answer is no
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return console.UsageError{Err: errors.New("not confirmed, so nothing was done: answer y, or give --yes")}
}

func bulkListing(env *access.Env) *console.Listing[saga.BulkResult] {
	type row = saga.BulkResult
	return &console.Listing[row]{Console: env.Console, None: "no such runs", Columns: []console.Column[row]{
		{Name: "RUN", Text: func(r row) string { return r.Run.String() }},
		{Name: "SAGA", Text: func(r row) string { return fmt.Sprintf("%s v%d", r.Saga, r.Version) }},
		{Name: "STATE", Text: func(r row) string { return string(r.State) }, Look: func(p tty.Palette, r row, s string) string { return console.LookState(p, r.State, s) }},
		{Name: "ERROR", Text: func(r row) string { return r.Error }, Look: func(p tty.Palette, _ row, s string) string { return p.Bad(s) }},
	}}
}

func printBulk(env *access.Env, report *saga.BulkReport, done string) error {
	if env.JSON() {
		return env.PrintJSON(report)
	}
	if err := bulkListing(env).Page(wire.Page[saga.BulkResult]{Items: report.Results}); err != nil || report.Matched == 0 {
		return err
	}
	n := report.Done
	if report.DryRun {
		n = len(report.Results)
	}
	text := fmt.Sprintf("%d runs %s", n, done)
	if report.More {
		text += fmt.Sprintf("; %d match in all: give the command again, or a larger --limit", report.Matched)
	}
	_, err := fmt.Fprintln(env.Err, text)
	return err
}
