package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/eventstoredb"
)

// service is something that `serve` runs beside the coordinator, such as an API.
type service interface {
	// addFlags adds the service's flags to serve.
	addFlags(f *pflag.FlagSet)
	// prepare is called before the coordinator is made, and may adjust it.
	prepare(ctx context.Context, log eventLog, s *Setup) error
	// run serves until ctx ends and returns after the last of its goroutines. A service that its flags
	// leave off returns nil at once. An error ends serve.
	run(ctx context.Context, n *node) error
}

// services lists what serve runs beside the coordinator.
func services(env *environment) []service {
	return []service{&alerting{}, &site{env: env}, &protocol{env: env}}
}

// serveFlags are the flags of serve itself.
type serveFlags struct {
	log, node string
}

func newServeCommand(env *environment) *cobra.Command {
	all := services(env)
	var flags serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the coordinator with its HTTP API and web page until interrupted",
		Long: `Run the coordinator on a data directory, or on an EventStoreDB cluster, until interrupted, with the HTTP API, the web
page and, if wanted, the EventStoreDB protocol beside it.

Every unfinished run goes on from where it is. An interrupt (SIGINT, SIGTERM) ends it in an orderly way:
undos that are under way are awaited, everything else goes on at the next start.

On a loopback address everybody may do everything until the first token is made (see "token create"); on any other
address tokens are required.`,
		Example: `  atone serve --data data --http 127.0.0.1:7070
  atone serve --data data --esdb-listen 127.0.0.1:2113
  atone serve --data data --log 'esdb://atone:secret@db-1:2113,db-2:2113,db-3:2113' --node a --views postgres://db/atone --http :7070 --tls-cert c.pem --tls-key k.pem`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := env.serveNode(cmd.Context(), flags, all)
			if err != nil {
				return err
			}
			n.logger.Info("serving", "program", env.app.Name, "data", env.data, "unfinished_runs", n.coordinator.UnfinishedRuns())
			err = n.serve(cmd.Context(), all)
			n.logger.Info("stopping", "unfinished_runs", n.coordinator.UnfinishedRuns())
			return errors.Join(err, n.close())
		},
	}
	cmd.Flags().StringVar(&flags.log, "log", env.getenv("ATONE_LOG"), "an esdb:// connection string; without it the embedded log in the data directory (ATONE_LOG)")
	cmd.Flags().StringVar(&flags.node, "node", env.getenv("ATONE_NODE"), "this process's name among those that share the log (ATONE_NODE)")
	for _, s := range all {
		s.addFlags(cmd.Flags())
	}
	return cmd
}

// serveNode opens the log that the flags name and starts a coordinator on it.
func (env *environment) serveNode(ctx context.Context, flags serveFlags, all []service) (*node, error) {
	logger := env.logger(slog.LevelInfo)
	log, err := env.serveLog(flags, logger)
	if err != nil {
		return nil, err
	}
	return env.startNode(ctx, log, logger, func(s *Setup) error {
		if flags.node != "" {
			s.Config.Node = flags.node
		}
		s.Config.Shared = s.Config.Shared || flags.log != ""
		for _, svc := range all {
			if err := svc.prepare(ctx, log, s); err != nil {
				return err
			}
		}
		return nil
	})
}

func (env *environment) serveLog(flags serveFlags, logger *slog.Logger) (eventLog, error) {
	if flags.log == "" {
		log, err := env.openLog(logger, false)
		if err != nil {
			return nil, err
		}
		return log, nil
	}
	if flags.node == "" {
		return nil, usageError{errors.New("--log shares the log with other processes: give each a name of its own with --node")}
	}
	log, err := eventstoredb.Open(eventstoredb.Config{Connection: flags.log, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("--log: %w", err)
	}
	return log, nil
}

// serve runs the services until ctx ends, a service fails or the coordinator stops by itself.
func (n *node) serve(ctx context.Context, all []service) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, s := range all {
		running.Go(func() {
			err := s.run(ctx, n)
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return // it was interrupted while it started, which is no failure
			}
			if errs[i] = err; err != nil {
				stop()
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case <-n.ended:
		err = errStopped // close tells why
	}
	stop()
	running.Wait()
	if err = errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("serve %s: %w", n.setup.Data, err)
	}
	return nil
}
