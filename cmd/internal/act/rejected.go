package act

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/rejected"
)

// RejectedCommands returns the subcommands of rejected: retry and dismiss.
func RejectedCommands(env *access.Env) []*cobra.Command {
	retry := newRejectedAct(env, rejected.Retry, "Try rejected events again, and start their runs", "started")
	retry.Long = `Have the trigger look at rejected events again, and start the runs of those that it takes now. Do it at a program that has
a trigger which takes them: the server that you talk to, or this program on a directory. An event that is still refused says why,
and stays in the list. To retry an event twice starts one run.` + rejectedTargets
	dismiss := newRejectedAct(env, rejected.Dismiss, "Take rejected events off the list: they need no run", "dismissed")
	dismiss.Long = "Take rejected events off the list, because they need no run. A dismissed event can still be retried, by its id." + rejectedTargets
	return []*cobra.Command{retry, dismiss}
}

const rejectedTargets = ` EVENT is the id of a rejection
or of an event. With --saga, --type or --all instead, all open events that match are meant: they are listed first, and the command
then asks at a terminal, or does nothing without --yes.`

func newRejectedAct(env *access.Env, what rejected.Act, short, done string) *cobra.Command {
	var a wire.RejectedAct
	var yes bool
	cmd := &cobra.Command{
		Use:   string(what) + " [EVENT]...",
		Short: short,
		Example: fmt.Sprintf(`  %[1]s rejected %[2]s 7c9e6679-7425-40de-944b-e07fc1f90ae7 --reason 'version 2 is out'
  %[1]s rejected %[2]s --saga ship-order --type order-placed --reason 'version 2 is out' --dry-run`, env.Program.Name, what),
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := console.NotEmpty(cmd.Flags(), "saga", "type"); err != nil {
				return err
			}
			a.Act, a.IDs = what, args
			for _, id := range args {
				if _, err := uuid.Parse(id); err != nil {
					return console.UsageError{Err: fmt.Errorf("%q is no id of an event", id), Next: []console.Step{{Command: env.CommandLine("rejected"), Why: "lists them"}}}
				}
			}
			checked := a.Request()
			checked.DryRun = true // the reason may still be asked for
			if err := checked.Validate(); err != nil {
				return console.UsageError{Err: err}
			}
			if !a.DryRun {
				if err := canGiveReason(env, string(what)+" rejected events", a.Reason); err != nil {
					return err
				}
			}
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				return actOnRejected(ctx, env, c, a, done, yes || len(args) > 0)
			})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&a.Sagas, "saga", nil, "the open events that should have started this saga; repeatable")
	f.StringVar(&a.Type, "type", "", "the open events of this type")
	f.BoolVar(&a.All, "all", false, "all open events")
	f.IntVar(&a.Limit, "limit", 1000, "at most this many events in one go, oldest first; up to 10000")
	f.StringVarP(&a.Reason, "reason", "r", "", "why, for the log")
	f.BoolVar(&a.DryRun, "dry-run", false, "only list the events")
	console.YesFlag(f, &yes)
	env.Formats(cmd, console.FormatTable, console.FormatWide, console.FormatJSON)
	return cmd
}

// actOnRejected lists the events unless they were named, asks for confirmation, and acts.
func actOnRejected(ctx context.Context, env *access.Env, c *client.Client, a wire.RejectedAct, done string, sure bool) error {
	if a.DryRun || !sure {
		dry := a
		dry.DryRun = true
		report, err := c.ActOnRejected(ctx, dry)
		if err != nil {
			return err
		}
		if a.DryRun || report.Matched == 0 {
			return printRejected(env, &report, "would be "+done)
		}
		if err := env.Confirm(ctx, rejectedPlan(env, a.Act, &report), false); err != nil {
			return err
		}
	}
	var err error
	if a.Reason, err = needReason(ctx, env, string(a.Act)+" rejected events", a.Reason); err != nil {
		return err
	}
	report, err := c.ActOnRejected(ctx, a)
	if err != nil {
		return err
	}
	if err := printRejected(env, &report, done); err != nil {
		return err
	}
	if report.Failed == 0 {
		return nil
	}
	refused := report.Results[slices.IndexFunc(report.Results, func(r wire.RejectedResult) bool { return r.Refused != "" })]
	if len(report.Results) == 1 && refused.Event == (uuid.UUID{}) {
		return fmt.Errorf("%s: %s: %w", refused.ID, refused.Refused, domain.ErrNotFound)
	}
	return fmt.Errorf("%w: %d of %d: %s", ErrSomeRefused, report.Failed, len(report.Results), refused.Refused)
}

// rejectedPlan returns the plan of an act, made from its dry run.
func rejectedPlan(env *access.Env, what rejected.Act, dry *wire.RejectedReport) console.Plan {
	events := "1 rejected event"
	if n := len(dry.Results); n != 1 {
		events = fmt.Sprintf("%d rejected events", n)
	}
	return console.Plan{Does: string(what) + " " + events, Value: dry, Show: func(c *console.Console) error {
		l := rejectedListing(&access.Env{Console: c, Program: env.Program})
		err := l.Page(wire.Page[wire.RejectedResult]{Items: dry.Results[:min(maxPlanned, len(dry.Results))]})
		if n := len(dry.Results); n > maxPlanned {
			_, more := fmt.Fprintf(c.Out, "… and %d more\n", n-maxPlanned)
			err = errors.Join(err, more)
		}
		return err
	}}
}

func rejectedListing(env *access.Env) *console.Listing[wire.RejectedResult] {
	type row = wire.RejectedResult
	return &console.Listing[row]{Console: env.Console, None: "no such events", Columns: []console.Column[row]{
		{Name: "ID", Text: func(r row) string { return r.ID.String() }},
		{Name: "TYPE", Rank: 1, Text: func(r row) string { return r.Type }},
		{Name: "SAGA", Rank: 2, Text: func(r row) string { return r.Saga }},
		{Name: "STATE", Text: func(r row) string { return string(r.State) }},
		{Name: "RUN", Text: func(r row) string {
			if r.Run == (domain.RunID{}) {
				return ""
			}
			return r.Run.String()
		}},
		{Name: "ERROR", Long: true, Text: func(r row) string { return cmp.Or(r.Refused, openError(&r)) }, Look: func(p tty.Palette, _ row, s string) string { return p.Bad(s) }},
	}}
}

// openError is why an event that is still open was rejected at first.
func openError(r *wire.RejectedResult) string {
	if r.State == rejected.Open {
		return r.Error
	}
	return ""
}

func printRejected(env *access.Env, report *wire.RejectedReport, done string) error {
	if env.JSON() {
		return env.PrintJSON(report, afterRejected(env, report)...)
	}
	if err := rejectedListing(env).Page(wire.Page[wire.RejectedResult]{Items: report.Results}); err != nil || len(report.Results) == 0 {
		return err
	}
	n := report.Done
	if report.DryRun {
		n = len(report.Results) - report.Failed
	}
	text := fmt.Sprintf("%d events %s", n, done)
	if n == 1 {
		text = strings.Replace(text, "events", "event", 1)
	}
	if report.More {
		text += fmt.Sprintf("; %d match in all: give the command again, or a larger --limit", report.Matched)
	}
	if started := slices.ContainsFunc(report.Results, func(r wire.RejectedResult) bool { return r.Done && r.Run != (domain.RunID{}) }); started && !env.Remote() {
		text += fmt.Sprintf("; the runs go on while `%s serve` runs on %s", env.Program.Name, env.Data)
	}
	_, err := io.WriteString(env.Err, text+"\n")
	return err
}

// afterRejected are the steps after an act, or after its dry run.
func afterRejected(env *access.Env, report *wire.RejectedReport) (steps []console.Step) {
	if report.DryRun {
		if len(report.Results) == 0 {
			return nil
		}
		again := *env.Console
		again.Line = slices.DeleteFunc(slices.Clone(env.Line), func(w string) bool { return strings.HasPrefix(w, "--dry-run") })
		return []console.Step{again.AgainStep("does it", "--yes")}
	}
	if i := slices.IndexFunc(report.Results, func(r wire.RejectedResult) bool { return r.Done && r.Run != (domain.RunID{}) }); i >= 0 {
		steps = append(steps, console.Step{Command: env.CommandLine("show", report.Results[i].Run.String()), Why: "shows a run that has started"})
	}
	if report.Failed > 0 {
		steps = append(steps, console.Step{Command: env.CommandLine("rejected"), Why: "lists what is still rejected"})
	}
	if report.More {
		steps = append(steps, env.AgainStep("goes on with the rest"))
	}
	return steps
}
