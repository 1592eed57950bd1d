package look

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
)

// ofRun has a command ask something of the one run that it is given, and print the answer: as JSON
// where that is asked for, else as show does.
func ofRun[T any](env *access.Env, command cobra.Command, ask func(c *client.Client, ctx context.Context, id domain.RunID) (T, error), show func(T) error) *cobra.Command {
	command.Args = console.Usage(cobra.ExactArgs(1))
	command.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := console.ParseRun(args[0])
		if err != nil {
			return err
		}
		return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
			answer, err := ask(c, ctx, id)
			if err != nil {
				return err
			}
			if env.JSON() {
				return env.PrintJSON(answer)
			}
			return show(answer)
		})
	}
	return &command
}
