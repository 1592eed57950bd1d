package act

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/saga/desk"
)

// IncidentCommands returns the subcommands of incidents: notes, assignees and snoozes. None of them
// changes a run, so they ask for no confirmation.
func IncidentCommands(env *access.Env) []*cobra.Command {
	targets := "TARGET is the id of an incident, or the id of a group or run, which means its open incidents."
	noted := newIncidentAct(env, "note TARGET TEXT", "Add a note to incidents", "noted", 2, func(_ context.Context, _ *client.Client, args []string) (wire.IncidentAct, error) {
		return wire.IncidentAct{Act: desk.Note, Text: args[1]}, nil
	})
	noted.Long = "Add a note to incidents, for whoever looks at them next. " + targets
	noted.Example = fmt.Sprintf("  %s incidents note 607c4165de7b20db 'the bank is away until 9:00'", env.Program.Name)

	var takeReason, assignReason, snoozeReason string
	take := newIncidentAct(env, "take TARGET", "Assign incidents to yourself", "taken", 1, func(ctx context.Context, c *client.Client, _ []string) (wire.IncidentAct, error) {
		me, err := c.Me(ctx)
		return wire.IncidentAct{Act: desk.Assign, To: me.Name, Text: takeReason}, err
	})
	take.Example = fmt.Sprintf("  %s incidents take 607c4165de7b20db", env.Program.Name)
	take.Long = "Assign incidents to yourself. " + targets
	take.Flags().StringVar(&takeReason, "reason", "", "why, for the audit")

	assign := newIncidentAct(env, "assign TARGET NAME", "Assign incidents to somebody", "assigned", 2, func(_ context.Context, _ *client.Client, args []string) (wire.IncidentAct, error) {
		return wire.IncidentAct{Act: desk.Assign, To: args[1], Text: assignReason}, nil
	})
	assign.Long = "Assign incidents to somebody; an empty NAME assigns them to nobody. " + targets
	assign.Example = fmt.Sprintf("  %s incidents assign 607c4165de7b20db bob --reason 'he knows the bank'", env.Program.Name)
	assign.Flags().StringVar(&assignReason, "reason", "", "why, for the audit")

	var until console.Time
	var last console.Duration
	var end bool
	snooze := newIncidentAct(env, "snooze TARGET", "Hide incidents for a while", "snoozed", 1, func(context.Context, *client.Client, []string) (wire.IncidentAct, error) {
		a := wire.IncidentAct{Act: desk.Snooze, Text: snoozeReason, Until: until.Time}
		given := 0
		for _, set := range []bool{!until.IsZero(), last > 0, end} {
			if set {
				given++
			}
		}
		if given != 1 {
			return a, console.UsageError{Err: errors.New("say when the snooze ends: --for 2h, --until TIME, or --end")}
		}
		if !until.IsZero() && !until.After(time.Now()) {
			return a, console.UsageError{Err: fmt.Errorf("--until %s is over: a snooze ends later than now; --end ends one", until.In(env.Location()).Format("2006-01-02 15:04:05 MST"))}
		}
		if last > 0 {
			a.Until = time.Now().Add(time.Duration(last))
		}
		return a, nil
	})
	snooze.Long = `Hide incidents until a time. A snoozed group also hides the incidents that arrive until then: they are counted, but send no alerts. ` + targets
	snooze.Example = fmt.Sprintf("  %s incidents snooze 607c4165de7b20db --for 2h --reason 'the bank opens at 9:00'", env.Program.Name)
	snooze.Flags().Var(&until, "until", "when it ends")
	snooze.Flags().Var(&last, "for", "how long it lasts, such as 2h or 1d")
	snooze.Flags().BoolVar(&end, "end", false, "end a snooze now")
	snooze.Flags().StringVar(&snoozeReason, "reason", "", "why, for the audit")
	return []*cobra.Command{noted, take, assign, snooze}
}

// newIncidentAct returns a command that applies an act to the target in its first argument.
func newIncidentAct(env *access.Env, line, short, done string, args int, prepare func(ctx context.Context, c *client.Client, args []string) (wire.IncidentAct, error)) *cobra.Command {
	return &cobra.Command{
		Use:   line,
		Short: short,
		Args:  console.Usage(cobra.ExactArgs(args)),
		RunE: func(cmd *cobra.Command, args []string) error {
			target := args[0]
			if !cause.IsID(target) {
				if err := env.CheckRun(target); err != nil {
					return fmt.Errorf("%w; a group's id has 16 digits, as incidents lists it", err)
				}
			}
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				if !cause.IsID(target) {
					var id domain.RunID
					if err := env.Named(ctx, c, target, &id); err != nil {
						return err
					}
					target = id.String()
				}
				a, err := prepare(ctx, c, args)
				if err != nil {
					return err
				}
				a.Targets = []string{target}
				report, err := c.ActOnIncidents(ctx, a)
				if err != nil {
					return err
				}
				if env.JSON() {
					if err := env.PrintJSON(report); err != nil {
						return err
					}
				} else if report.Done > 0 {
					what := "runs"
					if report.Results[0].Group != "" {
						what = "groups"
					}
					if report.Done == 1 {
						what = what[:len(what)-1]
					}
					if _, err := fmt.Fprintf(env.Out, "%s: %d %s\n", done, report.Done, what); err != nil {
						return err
					}
				}
				for _, r := range report.Results {
					if r.Error != "" {
						return fmt.Errorf("%d refused: %s: %w", report.Failed, r.Error, domain.ErrNotFound)
					}
				}
				return nil
			})
		},
	}
}
