package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// logDir is where a data directory has its log.
func logDir(data string) string { return filepath.Join(data, "log") }

// openLog opens the embedded log in the data directory. Where it must exist, a directory without one is an error.
func (env *environment) openLog(logger *slog.Logger, mustExist bool) (*pebblelog.Log, error) {
	data, err := env.dataDir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(logDir(data)); mustExist && errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s has no log: check --data, or start a run in it first", data)
	}
	return pebblelog.Open(logDir(data), pebblelog.Config{Logger: logger})
}

// newCoordinator makes a coordinator with the program's sagas.
func (env *environment) newCoordinator(cfg saga.Config) (*saga.Coordinator, error) {
	c, err := saga.New(cfg)
	if err != nil {
		return nil, err
	}
	return c, domain.JoinOnce(c.Register(env.app.Sagas...), c.RegisterActions(env.app.Actions...), c.RegisterTriggers(env.app.Triggers...))
}

// catalogue returns a coordinator that knows what is registered, and never runs.
func (env *environment) catalogue() (*saga.Coordinator, error) {
	return env.newCoordinator(saga.Config{Log: memlog.New(), Logger: env.logger(slog.LevelWarn)})
}

func (s *Setup) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// eventLog is a log that this process has open.
type eventLog interface {
	domain.Log
	Close() error
}

// node is a coordinator at work on a data directory, in this process.
type node struct {
	log         eventLog
	coordinator *saga.Coordinator
	logger      *slog.Logger
	setup       *Setup
	stop        context.CancelFunc
	// ended is closed when Run has returned, err.
	ended chan struct{}
	err   error
}

// openNode opens the data directory and starts a coordinator on it. It returns when the coordinator is ready. Where the
// log must exist, a directory without one is an error.
func (env *environment) openNode(ctx context.Context, level slog.Level, mustExist bool) (*node, error) {
	logger := env.logger(level)
	log, err := env.openLog(logger, mustExist)
	if err != nil {
		return nil, err
	}
	return env.startNode(ctx, log, logger, func(s *Setup) error {
		s.Config.OnDemand = true // one command is no reason to go on with everybody else's runs
		return nil
	})
}

// startNode starts a coordinator on an open log, which it closes if that fails. prepare, which may
// be nil, adjusts the coordinator after the program has.
func (env *environment) startNode(ctx context.Context, log eventLog, logger *slog.Logger, prepare func(*Setup) error) (*node, error) {
	setup := &Setup{Data: env.data, Config: saga.Config{Logger: logger, PlansWhenRun: true}}
	if env.app.Setup != nil {
		if err := env.app.Setup(ctx, setup); err != nil {
			return nil, errors.Join(fmt.Errorf("set up %s: %w", env.app.Name, err), setup.close(), log.Close())
		}
	}
	setup.Config.Log = log
	if prepare != nil {
		if err := prepare(setup); err != nil {
			return nil, errors.Join(err, setup.close(), log.Close())
		}
	}
	c, err := env.newCoordinator(setup.Config)
	if err != nil {
		return nil, errors.Join(err, setup.close(), log.Close())
	}
	// The coordinator ends by close, not by the command's interrupt: what it answers to has to end first.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	n := &node{log: log, coordinator: c, logger: logger, setup: setup, stop: stop, ended: make(chan struct{})}
	go func() {
		n.err = c.Run(life)
		close(n.ended)
	}()
	select {
	case <-c.Ready():
		return n, nil
	case <-n.ended:
		return nil, n.close()
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), n.close())
	}
}

// close stops the coordinator, waits for its end and closes the log.
func (n *node) close() error {
	n.stop()
	<-n.ended
	return errors.Join(n.err, n.setup.close(), n.log.Close())
}
