package act

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
)

func newProjectionsCommand(env *access.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "projections",
		Short: "Show and rebuild the views that lists are read from",
		Long: `Show and rebuild the views that the commands runs, audit, incidents, stats and events read. Views are made from the log, so they can
be dropped and rebuilt at any time.`,
		Example: fmt.Sprintf("  %[1]s projections status\n  %[1]s projections rebuild runs", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newViewStatusCommand(env), newRebuildCommand(env))
	return cmd
}

func newViewStatusCommand(env *access.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show how far the views are behind the log",
		Example: fmt.Sprintf("  %s projections status", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				list, err := c.Projections(ctx)
				if err != nil {
					return err
				}
				if env.JSON() {
					return env.PrintJSON(list)
				}
				return viewListing(env).Page(wire.Page[wire.View]{Items: list})
			})
		},
	}
	env.Formats(cmd, console.Lists...)
	return cmd
}

func viewListing(env *access.Env) *console.Listing[wire.View] {
	return &console.Listing[wire.View]{Console: env.Console, None: "there are no views", Columns: []console.Column[wire.View]{
		{Name: "VIEW", Text: func(v wire.View) string { return v.View }},
		{Name: "VERSION", Rank: 2, Text: func(v wire.View) string { return strconv.Itoa(v.Version) }},
		{Name: "STATE", Text: func(v wire.View) string { return viewState(&v) }, Look: func(p tty.Palette, v wire.View, s string) string {
			if v.Error != "" {
				return p.Bad(s)
			}
			return s
		}},
		{Name: "EVENTS", Text: func(v wire.View) string { return strconv.FormatInt(v.Events, 10) }},
		{Name: "POSITION", Rank: 1, Text: func(v wire.View) string { return strconv.FormatUint(uint64(v.Position), 10) }},
		{Name: "BEHIND", Text: func(v wire.View) string {
			if v.LagMore {
				return strconv.FormatInt(v.LagEvents, 10) + "+"
			}
			return strconv.FormatInt(v.LagEvents, 10)
		}, Value: func(v wire.View) string { return strconv.FormatInt(v.LagEvents, 10) }},
		{Name: "AGE", Text: func(v wire.View) string {
			if v.Lag == 0 {
				return ""
			}
			return console.Age(time.Duration(v.Lag))
		}, Value: func(v wire.View) string { return strconv.FormatFloat(time.Duration(v.Lag).Seconds(), 'f', -1, 64) }},
		{Name: "ERROR", Long: true, Text: func(v wire.View) string { return v.Error }},
	}}
}

func viewState(v *wire.View) string {
	switch {
	case v.Old:
		return "old, rebuilding"
	case v.Error != "":
		return "stands still"
	case v.Building && v.Built:
		return "rebuilding"
	case !v.Built:
		return "not built yet"
	}
	return "good"
}

func newRebuildCommand(env *access.Env) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "rebuild [VIEW]",
		Short: "Rebuild a view from the log",
		Long: `Rebuild a view, or with --all every view, from the log: runs, audit, incidents, stats, events. The old view answers until the
new one is ready. A server goes on rebuilding after the command has returned.`,
		Example: fmt.Sprintf("  %[1]s projections rebuild runs\n  %[1]s projections rebuild --all", env.Program.Name),
		Args:    console.Usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return console.UsageError{Err: errors.New("name a view, or give --all")}
			}
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				names := args
				if all {
					list, err := c.Projections(ctx)
					if err != nil {
						return err
					}
					for _, v := range list {
						names = append(names, v.View)
					}
				}
				out, err := rebuild(ctx, c, names)
				if err != nil {
					return err
				}
				if env.JSON() {
					return env.PrintJSON(out)
				}
				return viewListing(env).Page(wire.Page[wire.View]{Items: out})
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every view")
	return cmd
}

// rebuild requests all views at once, so that the log is read only once.
func rebuild(ctx context.Context, c *client.Client, views []string) ([]wire.View, error) {
	out := make([]wire.View, len(views))
	all, ctx := errgroup.WithContext(ctx)
	for i, view := range views {
		all.Go(func() (err error) {
			out[i], err = c.Rebuild(ctx, view)
			return err
		})
	}
	return out, all.Wait()
}
