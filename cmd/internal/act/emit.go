package act

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/saga"
)

// defaultStream is the stream of domain events that are emitted without one.
const defaultStream = "events"

func newEmitCommand(env *access.Env) *cobra.Command {
	var e wire.Emit
	var payload string
	cmd := &cobra.Command{
		Use:   "emit TYPE",
		Short: "Append a domain event: it may start runs and wake waiting ones",
		Long: `Append a domain event to a stream, and return when it is durable. Each event starts the sagas that have a trigger on its
type, once, and wakes the runs that await its type and correlation id. On a data directory this happens when a server
next runs on it.`,
		Example: fmt.Sprintf(`  %[1]s emit order-placed -d '{"order": 42}' --stream orders --id order-42
  %[1]s emit payment-settled -d @settled.json --correlation 0198c0de-0000-7000-8000-000000000001`, env.Program.Name),
		Args: console.Usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			e.Type = args[0]
			err := console.NotEmpty(cmd.Flags(), "id", "correlation")
			if err != nil {
				return err
			}
			if e.Payload, err = env.ReadPayload(payload); err != nil {
				return err
			}
			check := func(ctx context.Context) error {
				return env.Try(ctx, func(ctx context.Context, c *saga.Coordinator) error {
					_, err := c.EmitEvent(ctx, e.Stream, e.Type, e.Payload, saga.EmitOptions{ID: e.ID, Correlation: e.Correlation})
					return err
				})
			}
			return env.With(cmd.Context(), access.Use{Acts: true, Makes: true, Check: check}, func(ctx context.Context, c *client.Client) error {
				at, err := c.Emit(ctx, e)
				if err != nil {
					return err
				}
				if env.JSON() {
					return env.PrintJSON(at)
				}
				_, err = fmt.Fprintf(env.Out, "%s: event %d of %s, at position %d\n", cmp.Or(e.ID, at.ID.String()), at.Revision, at.Stream, at.Position)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&payload, "data-json", "d", "", "the payload: JSON, @FILE, or - for standard input")
	f.StringVar(&e.Stream, "stream", defaultStream, "the stream to append to")
	f.StringVar(&e.ID, "id", "", "makes the command idempotent: a second event with this id has no effect; a UUID becomes the event's id")
	f.StringVar(&e.Correlation, "correlation", "", "the id by which awaits select the event")
	return cmd
}
