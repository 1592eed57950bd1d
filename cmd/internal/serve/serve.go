package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/adapters/httpcall"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/saga/data"
)

// service is something that `serve` runs beside the coordinator, such as an API.
type service interface {
	// addFlags adds the service's flags to serve.
	addFlags(f *pflag.FlagSet)
	// prepare is called before the coordinator is made, and may adjust it.
	prepare(ctx context.Context, log host.Log, s *host.Setup) error
	// run serves until ctx ends and returns after the last of its goroutines. A service that is
	// switched off returns nil at once. An error ends serve.
	run(ctx context.Context, n *host.Node) error
}

// services lists what serve runs beside the coordinator.
func services(env *access.Env) []service {
	return []service{&alerting{}, &site{env: env}, &protocol{env: env}}
}

// serveFlags are the flags of serve itself.
type serveFlags struct {
	log, node, views, sagas string
	// secrets is a folder, and private are networks: both are of calls.
	secrets string
	private []string
}

// Command returns the command serve.
func Command(env *access.Env) *cobra.Command {
	all := services(env)
	var flags serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the coordinator with its HTTP API and web page until interrupted",
		Long: `Run the coordinator on a data directory, or on an EventStoreDB cluster, until interrupted, with the HTTP API, the web
page and, if wanted, the EventStoreDB protocol beside it.

Every unfinished run goes on from where it is. An interrupt (SIGINT, SIGTERM) ends the server in order: it waits for
undos that are under way; everything else goes on at the next start.

With --sagas DIR the server also runs sagas and actions that are data: the files of the folder that end in .yaml, .yml or .json,
checked as "sagas check" does. Actions there are HTTP calls; see --secrets and --allow-private. A change of a file counts from the next start.

On a loopback address no token is required until the first one is made (see "token create"). On any other address tokens are
required.`,
		Example: fmt.Sprintf(`  %[1]s serve --data data --http 127.0.0.1:7070
  %[1]s serve --data data --esdb-listen 127.0.0.1:2113
  %[1]s serve --data data --log 'esdb://atone:secret@db-1:2113,db-2:2113,db-3:2113' --node a --views postgres://db/atone --http :7070 --tls-cert c.pem --tls-key k.pem`, env.Program.Name),
		Args: console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := serveNode(cmd.Context(), env, flags, all)
			if err != nil {
				return err
			}
			n.Logger.Info("serving", "program", env.Program.Name, "data", env.Data, "unfinished_runs", n.Coordinator.UnfinishedRuns())
			err = runAll(cmd.Context(), n, all)
			n.Logger.Info("stopping", "unfinished_runs", n.Coordinator.UnfinishedRuns())
			return errors.Join(err, n.Close())
		},
	}
	cmd.Flags().StringVar(&flags.log, "log", env.Getenv("ATONE_LOG"), "use the log at this esdb:// connection string instead of the embedded one in the data directory (ATONE_LOG)")
	cmd.Flags().StringVar(&flags.node, "node", env.Getenv("ATONE_NODE"), "this process's name among those that share the log (ATONE_NODE)")
	cmd.Flags().StringVar(&flags.views, "views", env.Getenv("ATONE_VIEWS"), "where to keep the views: a postgres:// address, or empty for SQLite in the data directory (ATONE_VIEWS)")
	cmd.Flags().StringVar(&flags.sagas, "sagas", env.Getenv("ATONE_SAGAS"), "run the sagas in the files of this folder, too, over this program's actions; they are read at the start (ATONE_SAGAS)")
	cmd.Flags().StringVar(&flags.secrets, "secrets", env.Getenv("ATONE_SECRETS"), "read the secrets of calls (secret://NAME) from the files of this folder; else from ATONE_SECRET_NAME (ATONE_SECRETS)")
	cmd.Flags().StringSliceVar(&flags.private, "allow-private", nil, "let the calls of actions that are files go to these networks that are not public, such as 10.0.0.0/8")
	for _, s := range all {
		s.addFlags(cmd.Flags())
	}
	return cmd
}

// check refuses wrong flags before anything is opened.
func (f *serveFlags) check(data string) error {
	if f.views == "" && data == "" {
		return console.UsageError{Err: errors.New("there is no place for the views: give --data DIR, or --views postgres://…")}
	}
	if f.views != "" && !strings.HasPrefix(f.views, "postgres://") && !strings.HasPrefix(f.views, "postgresql://") {
		return console.UsageError{Err: errors.New("--views: give a postgres:// address, or nothing for SQLite")}
	}
	return nil
}

// serveNode opens the log that the flags name and starts a coordinator on it.
func serveNode(ctx context.Context, env *access.Env, flags serveFlags, all []service) (*host.Node, error) {
	if err := flags.check(env.Data); err != nil {
		return nil, err
	}
	if err := addSagas(env, flags); err != nil {
		return nil, err
	}
	logger := env.Logger(slog.LevelInfo)
	log, err := serveLog(env, flags, logger)
	if err != nil {
		return nil, err
	}
	return env.Program.Start(ctx, log, host.NewViews(flags.views, env.Data), env.Data, logger, func(s *host.Setup) error {
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

// addSagas adds the sagas and actions in the files of a folder to the program's.
func addSagas(env *access.Env, flags serveFlags) error {
	p := env.Program
	if flags.sagas == "" {
		return nil
	}
	p.WithoutSamples()
	calls := httpcall.Config{Secrets: httpcall.SecretsOf(flags.secrets, env.Getenv)}
	for _, text := range flags.private {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return console.UsageError{Err: fmt.Errorf("--allow-private %s: a network such as 10.0.0.0/8 or 127.0.0.1/32 is wanted: %w", text, err)}
		}
		calls.AllowPrivate = append(calls.AllowPrivate, network)
	}
	set, err := data.Load(data.Uses{Actions: p.Actions, Sagas: p.Sagas, Calls: httpcall.New(calls)}, flags.sagas)
	if err != nil {
		return fmt.Errorf("--sagas %s:\n%w", flags.sagas, err)
	}
	p.Triggers = append(slices.Clone(p.Triggers), set.Triggers...)
	p.Sagas, p.Actions = slices.Clone(p.Sagas), append(slices.Clone(p.Actions), set.Actions...)
	for _, s := range set.Sagas {
		p.Sagas = append(p.Sagas, s)
	}
	return nil
}

func serveLog(env *access.Env, flags serveFlags, logger *slog.Logger) (host.Log, error) {
	if flags.log == "" {
		data, err := env.DataDir()
		if err != nil {
			return nil, err
		}
		log, err := host.OpenLog(data, logger, false)
		if err != nil {
			return nil, err
		}
		return log, nil
	}
	if flags.node == "" {
		return nil, console.UsageError{Err: errors.New("--log shares the log with other processes: give each its own name with --node")}
	}
	log, err := eventstoredb.Open(eventstoredb.Config{Connection: flags.log, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("--log: %w", err)
	}
	return log, nil
}

// runAll runs the services until ctx ends, a service fails or the coordinator stops by itself.
func runAll(ctx context.Context, n *host.Node, all []service) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, s := range all {
		running.Go(func() {
			err := s.run(ctx, n)
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return // an interrupt while the service starts is not a failure
			}
			if errs[i] = err; err != nil {
				stop()
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case <-n.Ended():
		err = host.ErrStopped // close returns why
	}
	stop()
	running.Wait()
	if err = errors.Join(errors.Join(errs...), err); err != nil {
		return fmt.Errorf("serve %s: %w", n.Setup.Data, err)
	}
	return nil
}
