package program

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
	"github.com/atonehq/atone/saga"
)

// use says what a command needs of a data directory. The zero value reads its log and its views, which needs no
// running coordinator and nothing of the program's [App.Setup].
type use struct {
	// acts starts a coordinator, which moves only the runs that it is asked to.
	acts bool
	// makes means that the log is made where there is none; elsewhere that is an error.
	makes bool
	// check, if set, is called before anything is opened or made, with a coordinator that never runs and a context
	// that has ended. It makes the request to find out whether its form is right: [saga.ErrNotRunning] says that
	// it is. What is refused leaves no trace.
	check func(ctx context.Context, c *saga.Coordinator) error
	// definitions means that only the program's sagas and actions are looked at: there is no directory.
	definitions bool
	// cluster is an esdb:// connection string: its log is used, not the directory's.
	cluster string
}

// directory is a data directory that this process has open, and its HTTP API over a connection in memory.
type directory struct {
	log   eventLog
	node  *node // nil where the command only looks
	views *directoryViews

	connections *http.Transport
	stop        context.CancelFunc
	served      chan error
}

// onDirectory calls f with a client of the directory's API.
func (env *environment) onDirectory(ctx context.Context, u use, f func(ctx context.Context, c *client.Client) error) error {
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
			case <-d.node.ended:
				stop(errStopped)
			case <-within.Done():
			}
		}()
	}
	err = f(within, c)
	if errors.Is(context.Cause(within), errStopped) {
		err = errStopped // why it did comes from close
	}
	if closed := d.close(); closed != nil {
		return errors.Join(err, closed)
	}
	return err
}

// errStopped means that the coordinator ended without being told to.
var errStopped = errors.New("the coordinator stopped by itself")

// openDirectory opens the log and, if it is needed, starts a coordinator on it.
func (env *environment) openDirectory(ctx context.Context, u use) (*directory, error) {
	if u.check != nil {
		never, err := env.catalogue()
		if err != nil {
			return nil, err
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := u.check(ended, never); !errors.Is(err, saga.ErrNotRunning) {
			return nil, err
		}
	}
	if u.acts {
		n, err := env.openNode(ctx, slog.LevelError, !u.makes)
		if err != nil {
			return nil, err
		}
		return &directory{log: n.log, node: n}, nil
	}
	switch {
	case u.definitions:
		return &directory{log: memlog.New()}, nil
	case u.cluster != "":
		log, err := eventstoredb.Open(eventstoredb.Config{Connection: u.cluster, Logger: env.logger(slog.LevelWarn)})
		if err != nil {
			return nil, usageError{fmt.Errorf("--log: %w", err)}
		}
		if _, err := env.loadTokens(ctx, log); err != nil { // it tells people that it waits for a cluster
			return nil, errors.Join(err, log.Close())
		}
		return &directory{log: log}, nil
	}
	log, err := env.openLog(env.logger(slog.LevelWarn), !u.makes)
	if err != nil {
		return nil, err
	}
	return &directory{log: log}, nil
}

// forever stands for no limit: what a command asks of a directory ends with the command.
const forever = 10_000 * time.Hour

// serve makes the API and a client of it.
func (d *directory) serve(ctx context.Context, env *environment) (*client.Client, error) {
	d.views = newViews(env, d.log)
	var c *saga.Coordinator
	var err error
	if d.node != nil {
		c = d.node.coordinator
	} else if c, err = env.newCoordinator(saga.Config{Log: d.log, Logger: env.quiet()}); err != nil {
		return nil, err
	}
	server, err := httpapi.New(httpapi.Config{Coordinator: c, Views: d.views, Projections: d.views, Log: d.log, Tokens: auth.NewTokens(d.log, nil),
		InProcess: true, Actor: env.who(), MaxWait: forever, RequestTimeout: forever, Version: env.version(), Logger: env.quiet()})
	if err != nil {
		return nil, err
	}
	// The API ends by close, not by the command's interrupt: clients of it see the interrupt first.
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
		errs = append(errs, <-d.served)
	}
	if d.views != nil {
		errs = append(errs, d.views.close())
	}
	if d.node != nil {
		errs = append(errs, d.node.close())
	} else {
		errs = append(errs, d.log.Close())
	}
	return errors.Join(errs...)
}

// quiet is the logger for what runs beside a command: its errors are returned as well.
func (env *environment) quiet() *slog.Logger {
	if env.verbose {
		return env.logger(slog.LevelDebug)
	}
	return slog.New(slog.DiscardHandler)
}
