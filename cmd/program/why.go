package program

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
)

func newWhyCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "why RUN",
		Short:   "Say why a run is waiting, and for what",
		Long:    "Say in a sentence what an unfinished run waits for, and then each of its waits: the next attempt and its time, a signal, a child, a person.",
		Example: fmt.Sprintf("  %[1]s why order:4711\n  %[1]s why order:4711 -o json", env.app.Name),
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseRun(args[0])
			if err != nil {
				return err
			}
			return env.with(cmd.Context(), use{}, func(ctx context.Context, c *client.Client) error {
				why, err := c.Why(ctx, id)
				if err != nil {
					return err
				}
				if env.json() {
					return env.printJSON(why)
				}
				if _, err := fmt.Fprintln(env.Out, plain(why.Text)); err != nil || len(why.Waits) < 2 {
					return err
				}
				w := tabwriter.NewWriter(env.Out, 0, 0, 2, ' ', 0)
				for _, wait := range why.Waits {
					since := ""
					if !wait.Since.IsZero() {
						since = "since " + clock(wait.Since)
					}
					fmt.Fprintf(w, "  %s\t%s\n", plain(wait.Text), since)
				}
				return w.Flush()
			})
		},
	}
}
