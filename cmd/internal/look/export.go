package look

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
)

// exported is a line of an export.
type exported struct {
	wire.RunItem
	// Events are the run's events, oldest first. Secret fields of payloads are redacted.
	Events []wire.Event `json:"events"`
}

func newExportCommand(env *access.Env) *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write runs with all their events as NDJSON",
		Long: `Write the runs that a filter selects, or all, oldest first: one line of JSON for each, with the run as "runs" shows it
and its events. Secret fields are redacted. Use it for analysis elsewhere and for archives; to make a backup, copy the
log (see docs/operations.md).`,
		Example: fmt.Sprintf(`  %[1]s export > runs.ndjson
  %[1]s export --saga order --state compensated --since 30d | jq '.cause.message'`, env.Program.Name),
		Args: console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := flags.filter(env)
			if err != nil {
				return err
			}
			f.Ascending, f.Limit = true, 1000
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				if err := env.Named(ctx, c, flags.parent, &f.Parent); err != nil {
					return err
				}
				out := bufio.NewWriterSize(env.Out, 64<<10)
				enc := json.NewEncoder(out)
				enc.SetEscapeHTML(false)
				n := 0
				for {
					page, err := c.Runs(ctx, f)
					if err != nil {
						return err
					}
					for _, run := range page.Items {
						line := exported{RunItem: run}
						for e, err := range eventsOf(ctx, c, run.ID) {
							if err != nil {
								return err
							}
							line.Events = append(line.Events, e)
						}
						if err := enc.Encode(&line); err != nil {
							return err
						}
						n++
					}
					if f.Cursor = page.Next; f.Cursor == "" {
						break
					}
				}
				_, err := fmt.Fprintf(env.Err, "%d runs\n", n)
				return errors.Join(out.Flush(), err)
			})
		},
	}
	flags.addFlags(cmd)
	env.Formats(cmd, console.FormatNDJSON)
	return cmd
}
