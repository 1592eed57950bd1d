package look

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
)

// ofRun makes a command that queries one run and prints the answer, as JSON with -o json, otherwise
// with show. The JSON has the steps after it.
func ofRun[T any](env *access.Env, command cobra.Command, ask func(c *client.Client, ctx context.Context, id domain.RunID) (T, error), show func(T) error, after func(T) []console.Step) *cobra.Command {
	command.Args = console.Usage(cobra.ExactArgs(1))
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if err := env.CheckRun(args[0]); err != nil {
			return err
		}
		return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
			id, err := env.Run(ctx, c, args[0])
			if err != nil {
				return err
			}
			answer, err := ask(c, ctx, id)
			if err != nil {
				return env.MeantRun(ctx, c, args[0], err)
			}
			if env.JSON() {
				return env.PrintJSON(answer, after(answer)...)
			}
			return show(answer)
		})
	}
	return &command
}
