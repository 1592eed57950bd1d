package act

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/preview"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// newSteerCommands returns the commands by which people steer runs.
func newSteerCommands(env *access.Env) []*cobra.Command {
	return []*cobra.Command{
		newCancelCommand(env),
		newPlainAct(env, "pause", (*client.Client).Pause, "Keep a run from starting anything new", "paused").cmd,
		newPlainAct(env, "resume", (*client.Client).Resume, "Let a paused run go on", "resumed").cmd,
		newRetryCommand(env),
		newResolveCommand(env),
		newAbandonCommand(env),
		newSignalCommand(env),
	}
}

// steer is an act of a person on a run.
type steer func(ctx context.Context, c *client.Client, id domain.RunID) error

// acting builds a command that does something to the run in its first argument.
type acting struct {
	waiting
	env *access.Env
	cmd *cobra.Command
	// plan, if set, returns what the act would do; the act then needs confirmation. A nil plan
	// means that the API will refuse the act, so it is sent without asking.
	plan func(ctx context.Context, c *client.Client, id domain.RunID, args []string) (*console.Plan, error)
	yes  bool
	// why, if set, asks for what is missing once the act is confirmed.
	why func(ctx context.Context) error
}

// planned makes the command show a plan first.
func (a *acting) planned(plan func(ctx context.Context, c *client.Client, id domain.RunID, args []string) (*console.Plan, error)) {
	a.plan = plan
	console.YesFlag(a.cmd.Flags(), &a.yes)
}

// confirm shows the plan of the act, if it has one, and returns nil if the act is confirmed.
func (a *acting) confirm(ctx context.Context, c *client.Client, id domain.RunID, args []string) error {
	if a.plan == nil || a.yes {
		return nil
	}
	if err := mayOperate(ctx, c); err != nil {
		return err
	}
	p, err := a.plan(ctx, c, id, args)
	if err != nil || p == nil {
		return err
	}
	return a.env.Confirm(ctx, *p, false)
}

// newActing returns a command that the caller completes. prepare turns the other arguments and the
// flags into the act.
func newActing(env *access.Env, line, short, done string, args cobra.PositionalArgs, prepare func(args []string) (steer, error)) *acting {
	a := &acting{env: env}
	a.cmd = &cobra.Command{
		Use:   line,
		Short: short,
		Args:  console.Usage(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.check(cmd.Flags()); err != nil {
				return err
			}
			if err := env.CheckRun(args[0]); err != nil {
				return err
			}
			do, err := prepare(args[1:])
			if err != nil {
				return err
			}
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				id, err := env.Run(ctx, c, args[0])
				if err != nil {
					return err
				}
				if err := a.confirm(ctx, c, id, args[1:]); err != nil {
					return env.MeantRun(ctx, c, args[0], err)
				}
				if a.why != nil {
					if err := a.why(ctx); err != nil {
						return err
					}
				}
				idle := ""
				a.awaited(ctx, c, id)
				if err := do(saga.OnUnchanged(ctx, func(why string) { idle = why }), c, id); err != nil {
					return env.MeantRun(ctx, c, args[0], err)
				}
				if a.wait {
					return await(ctx, env, c, id, a.waiting)
				}
				if env.JSON() {
					run, err := c.Run(ctx, id)
					if err != nil {
						return err
					}
					return env.PrintJSON(run, showStep(env, id))
				}
				if idle != "" {
					_, err = fmt.Fprintf(env.Out, "%s: nothing was done: %s\n", env.Typed(id), console.Plain(idle))
					return err
				}
				_, err = fmt.Fprintf(env.Out, "%s: %s\n", env.Typed(id), done)
				return err
			})
		},
	}
	a.addFlags(a.cmd.Flags(), false)
	return a
}

// mayOperate returns an error if the token may not steer runs, before a plan is shown in vain.
func mayOperate(ctx context.Context, c *client.Client) error {
	me, err := c.Me(ctx)
	if err != nil || me.Open || slices.ContainsFunc([]string{string(auth.Operate), string(auth.Admin)}, func(s string) bool { return slices.Contains(me.Scopes, s) }) {
		return err
	}
	return &client.ProblemError{Status: http.StatusForbidden, Type: wire.ProblemPrefix + wire.ProblemForbidden,
		Detail: "the token " + me.Name + " lacks the scope " + string(auth.Operate)}
}

// showStep is the step of looking at a run.
func showStep(env *access.Env, id domain.RunID) console.Step {
	return console.Step{Command: env.CommandLine("show", env.Typed(id)), Why: "shows its state"}
}

// newPlainAct returns a command for an act that takes only a reason.
func newPlainAct(env *access.Env, name string, act func(c *client.Client, ctx context.Context, id domain.RunID, reason string) error, short, done string) *acting {
	var reason string
	a := newActing(env, name+" RUN", short, done, cobra.ExactArgs(1), func([]string) (steer, error) {
		return func(ctx context.Context, c *client.Client, id domain.RunID) error { return act(c, ctx, id, reason) }, nil
	})
	a.cmd.Example = fmt.Sprintf("  %s %s order:4711 --reason 'the customer rang'", env.Program.Name, name)
	a.reasonFlag(&reason)
	return a
}

func newCancelCommand(env *access.Env) *cobra.Command {
	a := newPlainAct(env, "cancel", (*client.Client).Cancel, "Turn a run back: undo what it did", "cancelled")
	a.cmd.Long = `Turn a run back: undo what it did. The command first shows what would be undone. At a terminal it then asks; elsewhere it
does nothing without --yes.`
	a.planned(func(ctx context.Context, c *client.Client, id domain.RunID, _ []string) (*console.Plan, error) {
		p, err := c.PreviewCancel(ctx, id)
		if err != nil || p.Refused != "" {
			return nil, err
		}
		return &console.Plan{Does: "cancel run " + env.Typed(id), Value: p,
			Show: func(con *console.Console) error { return preview.Print(con, &p) }}, nil
	})
	return a.cmd
}

func (a *acting) reasonFlag(reason *string) {
	a.cmd.Flags().StringVarP(reason, "reason", "r", "", "why, for the audit trail")
}

// stepOf returns the optional step argument.
func stepOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func newRetryCommand(env *access.Env) *cobra.Command {
	var reason string
	a := newActing(env, "retry RUN [STEP]", "Give a stuck step, or all of them, new attempts", "retried", cobra.RangeArgs(1, 2), func(args []string) (steer, error) {
		return func(ctx context.Context, c *client.Client, id domain.RunID) error {
			return c.Retry(ctx, id, stepOf(args), reason)
		}, nil
	})
	a.cmd.Example = fmt.Sprintf("  %[1]s retry order:4711 --reason 'the card service is back' --wait\n  %[1]s retry order:4711 ship/3/label", env.Program.Name)
	a.reasonFlag(&reason)
	return a.cmd
}

func newResolveCommand(env *access.Env) *cobra.Command {
	var reason, output string
	var skip bool
	a := newActing(env, "resolve RUN [STEP]", "Settle a stuck step by hand", "resolved", cobra.RangeArgs(1, 2), func(args []string) (steer, error) {
		step := stepOf(args)
		switch {
		case skip == (output != ""):
			return nil, console.UsageError{Err: errors.New("say how: --skip, or --substitute with the output that the step should have had")}
		case skip:
			env.Missing(reason)
			if err := canGiveReason(env, "resolve --skip", reason); err != nil {
				return nil, err
			}
			return func(ctx context.Context, c *client.Client, id domain.RunID) error {
				return c.Skip(ctx, id, step, reason)
			}, nil
		case step == "":
			return nil, console.UsageError{Err: errors.New("--substitute settles one step: name it")}
		}
		payload, err := env.ReadPayload(output)
		return func(ctx context.Context, c *client.Client, id domain.RunID) error {
			return c.Substitute(ctx, id, step, payload, reason)
		}, err
	})
	a.cmd.Long = `Settle a stuck step, or with --skip all of them, by hand.

--skip goes on as if the step had no effect or, if its undo is stuck, as if it were undone.
--substitute goes on as if the step had succeeded with this output.

The command first shows what would be settled. At a terminal it then asks; elsewhere it does nothing without --yes.
--skip needs a reason, and asks for it at a terminal.`
	a.why = func(ctx context.Context) (err error) {
		if skip {
			reason, err = needReason(ctx, env, "resolve --skip", reason)
		}
		return err
	}
	a.planned(func(ctx context.Context, c *client.Client, id domain.RunID, args []string) (*console.Plan, error) {
		return resolvePlan(ctx, env, c, id, stepOf(args), skip)
	})
	a.cmd.Example = fmt.Sprintf("  %[1]s resolve order:4711 --skip --reason 'refunded by hand'\n  %[1]s resolve order:4711 charge --substitute '{\"id\": \"ch_42\"}'", env.Program.Name)
	a.reasonFlag(&reason)
	a.cmd.Flags().BoolVar(&skip, "skip", false, "go on without the step")
	a.cmd.Flags().StringVar(&output, "substitute", "", "the step's output: JSON, @FILE, or - for standard input")
	return a.cmd
}

// settled is a stuck step that a person settles.
type settled struct {
	Step     string `json:"step"`
	Incident string `json:"incident"`
	Cause    string `json:"cause,omitempty"`
	// How is skip or substitute.
	How domain.Resolution `json:"how"`
}

// resolvePlan lists the stuck steps that would be settled.
func resolvePlan(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID, step string, skip bool) (*console.Plan, error) {
	run, err := c.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	how := domain.ResolveSubstitute
	if skip {
		how = domain.ResolveSkip
	}
	var list []settled
	for i := range run.Steps {
		s := &run.Steps[i]
		if s.Incident == "" || step != "" && s.Path != step {
			continue
		}
		next := settled{Step: s.Path, Incident: s.Incident, How: how}
		if s.Cause != nil {
			next.Cause = s.Cause.Message
		}
		list = append(list, next)
	}
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // no plan: the act is refused
	}
	steps := "1 stuck step"
	if n := len(list); n > 1 {
		steps = fmt.Sprintf("%d stuck steps", n)
	}
	return &console.Plan{Does: fmt.Sprintf("%s %s of run %s", how, steps, env.Typed(id)), Value: list, Show: func(con *console.Console) error {
		table := &console.Listing[settled]{Console: con, Columns: []console.Column[settled]{
			{Name: "STEP", Text: func(s settled) string { return s.Step }},
			{Name: "INCIDENT", Rank: 1, Text: func(s settled) string { return s.Incident }},
			{Name: "CAUSE", Long: true, Text: func(s settled) string { return s.Cause }},
		}}
		return table.Page(wire.Page[settled]{Items: list})
	}}, nil
}

func newAbandonCommand(env *access.Env) *cobra.Command {
	var reason string
	a := newActing(env, "abandon RUN", "Close a run with its effects left as they are", "abandoned", cobra.ExactArgs(1), func([]string) (steer, error) {
		env.Missing(reason)
		if err := canGiveReason(env, "abandon", reason); err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *client.Client, id domain.RunID) error {
			return c.Abandon(ctx, id, reason)
		}, nil
	})
	a.why = func(ctx context.Context) (err error) {
		reason, err = needReason(ctx, env, "abandon", reason)
		return err
	}
	a.cmd.Long = `Close a run with its effects left as they are: nothing more is done or undone. The command first shows the effects that
would be left. At a terminal it then asks; elsewhere it does nothing without --yes. A reason is needed, and asked for at a
terminal.`
	a.planned(func(ctx context.Context, c *client.Client, id domain.RunID, _ []string) (*console.Plan, error) {
		return abandonPlan(ctx, env, c, id)
	})
	a.cmd.Example = fmt.Sprintf("  %s abandon order:4711 --reason 'the warehouse burnt down; ticket 17'", env.Program.Name)
	a.reasonFlag(&reason)
	return a.cmd
}

// abandonPlan lists the effects that would be left.
func abandonPlan(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID) (*console.Plan, error) {
	run, err := c.Run(ctx, id)
	if err != nil || run.State.Ended() {
		return nil, err
	}
	p, err := c.PreviewCancel(ctx, id)
	if err != nil {
		return nil, err
	}
	left := []string{}
	for _, s := range p.Steps {
		if !slices.Contains(left, s.Step) {
			left = append(left, s.Step)
		}
	}
	return &console.Plan{Does: "abandon run " + env.Typed(id), Value: map[string]any{"run": id, "left": left}, Show: func(con *console.Console) error {
		text := "no effect would be left"
		switch {
		case p.Refused != "":
			text = "everything that the run did would be left, because it can't be cancelled: " + p.Refused
		case len(left) > 0:
			text = "these steps would not be undone: " + strings.Join(left, ", ")
		}
		_, err := fmt.Fprintln(con.Out, console.Plain(text))
		return err
	}}, nil
}

func newSignalCommand(env *access.Env) *cobra.Command {
	var payload, id string
	var keep bool
	var a *acting
	a = newActing(env, "signal RUN NAME", "Send a run a signal that it waits for, now or later", "signalled", cobra.ExactArgs(2), func(args []string) (steer, error) {
		if err := console.NotEmpty(a.cmd.Flags(), "id"); err != nil {
			return nil, err // with an empty id each signal would count
		}
		raw, err := env.ReadPayload(payload)
		return func(ctx context.Context, c *client.Client, run domain.RunID) error {
			err := c.Signal(ctx, run, wire.Signal{Name: args[0], Payload: raw, ID: id, Keep: keep})
			if errors.Is(err, saga.ErrBadInput) && !keep {
				return console.UsageError{Err: err, Next: []console.Step{{Command: env.CommandLine("why", env.Typed(run)), Why: "tells what it waits for"},
					env.AgainStep("sends it all the same, for a step that a later plan may add", "--keep")}}
			}
			return err
		}, err
	})
	a.cmd.Example = fmt.Sprintf("  %s signal order:4711 approved -d '{\"by\": \"kim\"}' --id approval-4711", env.Program.Name)
	a.cmd.Flags().StringVarP(&payload, "data-json", "d", "", "the payload: JSON, @FILE, or - for standard input")
	a.cmd.Flags().StringVar(&id, "id", "", "makes the command idempotent: a second signal with this id has no effect")
	a.cmd.Flags().BoolVar(&keep, "keep", false, "send it though no step that the run may still come to awaits it, for one that a later plan adds")
	return a.cmd
}
