package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
)

// onDirectory calls f with a client of the directory's API.
func (env *Env) onDirectory(ctx context.Context, u Use, f func(ctx context.Context, c *client.Client) error) error {
	if u.Check != nil {
		if err := u.Check(ctx); err != nil {
			return err
		}
	}
	d, err := env.openDirectory(ctx, u)
	if err != nil {
		return err
	}
	c, err := d.serve(ctx, env)
	if err != nil {
		return errors.Join(err, d.close())
	}
	within, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if d.node != nil {
		go func() {
			select {
			case <-d.node.Ended():
				stop(host.ErrStopped)
			case <-within.Done():
			}
		}()
	}
	err = f(within, c)
	if errors.Is(context.Cause(within), host.ErrStopped) {
		err = host.ErrStopped // f was cut short; close says why
	}
	if closed := d.close(); closed != nil {
		return errors.Join(err, closed)
	}
	return err
}

// directory is a data directory that this process has open, and its HTTP API over a pipe in memory.
type directory struct {
	log  host.Log
	node *host.Node // nil if the command only reads
	// evidence is nil where the log is not the directory's.
	evidence *evidence.Evidence
	views    *directoryViews

	connections *http.Transport
	stop        context.CancelFunc
	served      chan error
}

// openDirectory opens the log and, if one is needed, starts a coordinator on it.
func (env *Env) openDirectory(ctx context.Context, u Use) (*directory, error) {
	switch {
	case u.Definitions:
		if u.Evidence && env.Data != "" { // what can't be opened is not asked
			if log, err := host.OpenLog(env.Data, env.Quiet(), true); err == nil {
				return &directory{log: log, evidence: env.Program.Evidence(log)}, nil
			}
		}
		return &directory{log: memlog.New()}, nil
	case u.Cluster != "":
		log, err := eventstoredb.Open(eventstoredb.Config{Connection: u.Cluster, Logger: env.Logger(slog.LevelWarn)})
		if err != nil {
			return nil, console.UsageError{Err: fmt.Errorf("--log: %w", err)}
		}
		// This logs that the command is waiting for a cluster.
		if _, err := host.LoadTokens(ctx, log, env.Logger(slog.LevelWarn)); err != nil {
			return nil, errors.Join(err, log.Close())
		}
		return &directory{log: log, evidence: env.Program.Evidence(log)}, nil
	}
	data, err := env.DataDir()
	if err != nil {
		return nil, err
	}
	level := slog.LevelWarn
	if u.Acts {
		level = slog.LevelError
	}
	log, err := host.OpenLog(data, env.Logger(level), !u.Makes)
	if err != nil {
		return nil, err
	}
	if !u.Acts {
		return &directory{log: log, evidence: env.Program.Evidence(log)}, nil
	}
	node, err := env.Program.Start(ctx, log, host.NewViews("", data), data, env.Logger(level), func(s *host.Setup) error {
		s.Config.OnDemand = true // one command must not resume everybody else's runs
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &directory{log: log, node: node, evidence: env.Program.Evidence(log)}, nil
}

// forever is longer than any command runs: requests to a directory have no limit of their own.
const forever = 10_000 * time.Hour

// serve serves the API and returns a client of it.
func (d *directory) serve(ctx context.Context, env *Env) (*client.Client, error) {
	d.views = newViews(env, d.log)
	var c *saga.Coordinator
	var err error
	if d.node != nil {
		c = d.node.Coordinator
	} else if c, err = env.Program.Coordinator(saga.Config{Log: d.log, Logger: env.Quiet()}); err != nil {
		return nil, err
	}
	server, err := httpapi.New(httpapi.Config{Coordinator: c, Views: d.views, Projections: d.views, Log: d.log, Evidence: d.evidence,
		Tokens: auth.NewTokens(d.log, nil), InProcess: true, Actor: env.Who(),
		MaxWait: forever, RequestTimeout: forever, Version: env.Program.VersionText(), Logger: env.Quiet()})
	if err != nil {
		return nil, err
	}
	// close ends the API, not the command's interrupt, so that callers see the interrupt first.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop, d.served = stop, make(chan error, 1)
	ln := newPipes()
	go func() { d.served <- server.Serve(life, ln) }()
	d.connections = &http.Transport{DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return ln.dial(ctx) }}
	return client.New(client.Config{Server: "http://localhost", HTTP: &http.Client{Transport: d.connections}, Retries: -1})
}

// close ends the API, the views and the coordinator, and closes the log.
func (d *directory) close() error {
	var errs []error
	if d.stop != nil {
		d.views.interrupt()
		d.connections.CloseIdleConnections()
		d.stop()
		// It may have been ended while it began.
		if err := <-d.served; !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	if d.views != nil {
		errs = append(errs, d.views.close())
	}
	if d.node != nil {
		errs = append(errs, d.node.Close())
	} else {
		errs = append(errs, d.log.Close())
	}
	return errors.Join(errs...)
}

// Try makes a request to a coordinator that never runs, to check the request's form: such a
// coordinator refuses only requests that every coordinator refuses.
func (env *Env) Try(ctx context.Context, request func(context.Context, *saga.Coordinator) error) error {
	idle, err := env.Program.Idle(saga.Config{Logger: env.Quiet()})
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := request(ended, idle); !errors.Is(err, saga.ErrNotRunning) {
		return err
	}
	return nil
}
