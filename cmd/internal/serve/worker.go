package serve

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
)

// WorkerCommand returns the command worker.
func WorkerCommand(env *access.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "Run the program's actions for coordinators elsewhere, over a broker, until interrupted",
		Long: `Run the program's actions for coordinators in other processes, until interrupted. The program sets up a broker, which
brings the attempts and takes their outcomes back. A worker opens no log and needs no data directory.

An interrupt (SIGINT, SIGTERM) ends the worker in order: it waits for undos that are under way; other attempts are
cancelled and tried again elsewhere.`,
		Example: fmt.Sprintf("  %s worker", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := env.Program.Worker(cmd.Context(), env.Data, env.Logger(slog.LevelInfo))
			if errors.Is(err, host.ErrNoBroker) {
				return console.UsageError{Err: err}
			}
			return err
		},
	}
}
