package act

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
)

func newHoldCommand(env *access.Env) *cobra.Command {
	var req wire.HoldAction
	cmd := &cobra.Command{
		Use:   "hold ACTION",
		Short: "Start no attempt of an action until it is released",
		Long: `Start no attempt of an action, on any server of the log, until it is released. Attempts that have started go on. Waiting
runs show the reason and use up no attempt. Undos go on as before unless --undos is given.`,
		Example: fmt.Sprintf("  %s hold update-crm --reason 'CRM is down'", env.Program.Name),
		Args:    console.Usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if req.Reason, err = needReason(cmd.Context(), env, "hold "+args[0], req.Reason); err != nil {
				return err
			}
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				h, err := c.Hold(ctx, args[0], req)
				if err != nil {
					return err
				}
				return printHold(env, &h, "held")
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&req.Reason, "reason", "r", "", "why; the waiting runs show it")
	f.BoolVar(&req.Undos, "undos", false, "hold its undos too")
	f.BoolVar(&req.Anyway, "anyway", false, "hold it even if the server's program has no such action: another server of the log may have it")
	env.Formats(cmd, console.FormatTable, console.FormatJSON)
	return cmd
}

func newReleaseCommand(env *access.Env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "release ACTION",
		Short:   "Let a held action start again",
		Long:    "Let a held action start again. The runs that waited go on as places become free, the longest wait first.",
		Example: fmt.Sprintf("  %s release update-crm --reason 'CRM is back'", env.Program.Name),
		Args:    console.Usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			reason, err := needReason(cmd.Context(), env, "release "+args[0], reason)
			if err != nil {
				return err
			}
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				h, err := c.Release(ctx, args[0], reason)
				if err != nil {
					return err
				}
				return printHold(env, &h, "released")
			})
		},
	}
	cmd.Flags().StringVarP(&reason, "reason", "r", "", "why, for the log")
	env.Formats(cmd, console.FormatTable, console.FormatJSON)
	return cmd
}

func printHold(env *access.Env, h *wire.HeldAction, done string) error {
	if env.JSON() {
		return env.PrintJSON(h)
	}
	_, err := fmt.Fprintf(env.Out, "%s: %s\n", h.Action, done)
	return err
}

func newHoldsCommand(env *access.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "holds",
		Short:   "List the actions that are held",
		Example: fmt.Sprintf("  %s holds", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				list, err := c.Holds(ctx)
				if err != nil {
					return err
				}
				if env.JSON() {
					return env.PrintJSON(list)
				}
				table := &console.Listing[wire.HeldAction]{Console: env.Console, None: "no action is held", Columns: []console.Column[wire.HeldAction]{
					{Name: "ACTION", Text: func(h wire.HeldAction) string { return h.Action }},
					{Name: "HOLDS", Rank: 1, Text: holdsWhat},
					{Name: "BY", Text: func(h wire.HeldAction) string { return h.By }},
					{Name: "SINCE", Time: func(h wire.HeldAction) time.Time { return h.Since }},
					{Name: "WAITING", Text: func(h wire.HeldAction) string { return strconv.Itoa(h.Waiting) }},
					{Name: "REASON", Long: true, Text: func(h wire.HeldAction) string { return h.Reason }},
				}}
				return table.Page(wire.Page[wire.HeldAction]{Items: list})
			})
		},
	}
	env.Formats(cmd, console.FormatTable, console.FormatJSON)
	return cmd
}

// holdsWhat names the attempts that a hold keeps from starting.
func holdsWhat(h wire.HeldAction) string {
	if h.Undos {
		return "dos, undos"
	}
	return "dos"
}
