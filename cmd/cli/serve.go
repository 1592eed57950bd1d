package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// service is something that `serve` runs beside the coordinator, such as an API.
type service interface {
	// addFlags adds the service's flags to serve.
	addFlags(f *pflag.FlagSet)
	// run serves until ctx ends and returns after the last of its goroutines. A service that its flags
	// leave off returns nil at once. An error ends serve.
	run(ctx context.Context, n *node) error
}

// services lists what serve runs beside the coordinator.
func services(*environment) []service { return nil }

func newServeCommand(env *environment) *cobra.Command {
	all := services(env)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the coordinator on a data directory until interrupted",
		Long: `Run the coordinator on a data directory until interrupted.

Every unfinished run goes on from where it is. An interrupt (SIGINT, SIGTERM) ends it in an orderly way:
undos that are under way are awaited, everything else goes on at the next start.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := env.openNode(cmd.Context(), slog.LevelInfo)
			if err != nil {
				return err
			}
			n.logger.Info("serving", "program", env.app.Name, "data", env.data, "unfinished_runs", n.coordinator.UnfinishedRuns())
			err = n.serve(cmd.Context(), all)
			n.logger.Info("stopping", "unfinished_runs", n.coordinator.UnfinishedRuns())
			return errors.Join(err, n.close())
		},
	}
	for _, s := range all {
		s.addFlags(cmd.Flags())
	}
	return cmd
}

// serve runs the services until ctx ends, a service fails or the coordinator stops by itself.
func (n *node) serve(ctx context.Context, all []service) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, s := range all {
		running.Go(func() {
			if errs[i] = s.run(ctx, n); errs[i] != nil {
				stop()
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-n.ended:
		n.ended <- nil
		err = errors.Join(errors.New("the coordinator stopped by itself"), err)
	}
	stop()
	running.Wait()
	if err = errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("serve %s: %w", n.setup.Data, err)
	}
	return nil
}
