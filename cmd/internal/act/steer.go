package act

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
)

// newSteerCommands returns the commands by which people steer runs.
func newSteerCommands(env *access.Env) []*cobra.Command {
	return []*cobra.Command{
		newPlainActCommand(env, "cancel", (*client.Client).Cancel, "Turn a run back: undo what it did", "cancelled"),
		newPlainActCommand(env, "pause", (*client.Client).Pause, "Keep a run from starting anything new", "paused"),
		newPlainActCommand(env, "resume", (*client.Client).Resume, "Let a paused run go on", "resumed"),
		newRetryCommand(env),
		newResolveCommand(env),
		newAbandonCommand(env),
		newSignalCommand(env),
	}
}

// steer does what a person wants done to a run.
type steer func(ctx context.Context, c *client.Client, id domain.RunID) error

// acting builds a command that does something to the run in its first argument.
type acting struct {
	waiting
	env *access.Env
	cmd *cobra.Command
}

// newActing returns a command to be completed. prepare turns the other arguments and the flags into
// the act.
func newActing(env *access.Env, line, short, done string, args cobra.PositionalArgs, prepare func(args []string) (steer, error)) *acting {
	a := &acting{env: env}
	a.cmd = &cobra.Command{
		Use:   line,
		Short: short,
		Args:  console.Usage(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := console.ParseRun(args[0])
			if err != nil {
				return err
			}
			do, err := prepare(args[1:])
			if err != nil {
				return err
			}
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				if err := do(ctx, c, id); err != nil {
					return err
				}
				if a.wait {
					return await(ctx, env, c, id, a.waiting)
				}
				if env.JSON() {
					run, err := c.Run(ctx, id)
					if err != nil {
						return err
					}
					return env.PrintJSON(run)
				}
				_, err := fmt.Fprintf(env.Out, "%s: %s\n", id, done)
				return err
			})
		},
	}
	a.addFlags(a.cmd.Flags(), false)
	return a
}

// newPlainActCommand returns the command for an act that needs nothing but a reason.
func newPlainActCommand(env *access.Env, name string, act func(c *client.Client, ctx context.Context, id domain.RunID, reason string) error, short, done string) *cobra.Command {
	var reason string
	a := newActing(env, name+" RUN", short, done, cobra.ExactArgs(1), func([]string) (steer, error) {
		return func(ctx context.Context, c *client.Client, id domain.RunID) error { return act(c, ctx, id, reason) }, nil
	})
	a.cmd.Example = fmt.Sprintf("  %s %s order:4711 --reason 'the customer rang'", env.Program.Name, name)
	a.reasonFlag(&reason)
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
			return func(ctx context.Context, c *client.Client, id domain.RunID) error {
				return c.Skip(ctx, id, step, reason)
			}, nil
		case step == "":
			return nil, console.UsageError{Err: errors.New("an output is substituted in one step: name it")}
		}
		payload, err := env.ReadPayload(output)
		return func(ctx context.Context, c *client.Client, id domain.RunID) error {
			return c.Substitute(ctx, id, step, payload, reason)
		}, err
	})
	a.cmd.Long = `Settle a stuck step, or with --skip all of them, by hand.

--skip goes on as if the step had no effect; where its undo is stuck, as if it were undone.
--substitute goes on as if the step were done with that output.`
	a.cmd.Example = fmt.Sprintf("  %[1]s resolve order:4711 --skip --reason 'refunded by hand'\n  %[1]s resolve order:4711 charge --substitute '{\"id\": \"ch_42\"}'", env.Program.Name)
	a.reasonFlag(&reason)
	a.cmd.Flags().BoolVar(&skip, "skip", false, "go on without the step")
	a.cmd.Flags().StringVar(&output, "substitute", "", "the step's output: JSON, @FILE, or - for standard input")
	return a.cmd
}

func newAbandonCommand(env *access.Env) *cobra.Command {
	var reason string
	a := newActing(env, "abandon RUN", "Close a run with its effects left as they are", "abandoned", cobra.ExactArgs(1), func([]string) (steer, error) {
		if reason == "" {
			return nil, console.UsageError{Err: errors.New("abandoning a run needs a --reason: it is recorded for good")}
		}
		return func(ctx context.Context, c *client.Client, id domain.RunID) error {
			return c.Abandon(ctx, id, reason)
		}, nil
	})
	a.cmd.Example = fmt.Sprintf("  %s abandon order:4711 --reason 'the warehouse burnt down; ticket 17'", env.Program.Name)
	a.reasonFlag(&reason)
	return a.cmd
}

func newSignalCommand(env *access.Env) *cobra.Command {
	var payload, id string
	var a *acting
	a = newActing(env, "signal RUN NAME", "Send a run a signal that it waits for, or will", "signalled", cobra.ExactArgs(2), func(args []string) (steer, error) {
		if err := console.NotEmpty(a.cmd.Flags(), "id"); err != nil {
			return nil, err // each would count
		}
		raw, err := env.ReadPayload(payload)
		return func(ctx context.Context, c *client.Client, run domain.RunID) error {
			return c.Signal(ctx, run, args[0], raw, id)
		}, err
	})
	a.cmd.Example = fmt.Sprintf("  %s signal order:4711 approved -d '{\"by\": \"kim\"}' --id approval-4711", env.Program.Name)
	a.cmd.Flags().StringVarP(&payload, "data-json", "d", "", "the payload: JSON, @FILE, or - for standard input")
	a.cmd.Flags().StringVar(&id, "id", "", "makes it idempotent: a second signal with the id is nothing")
	return a.cmd
}
