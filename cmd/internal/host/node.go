package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/atonehq/atone/saga"
)

// Node is a running coordinator in this process.
type Node struct {
	Log         Log
	Coordinator *saga.Coordinator
	Logger      *slog.Logger
	Setup       *Setup

	stop  context.CancelFunc
	ended chan struct{} // closed when the coordinator has ended, with err
	err   error
}

// ErrStopped means that the coordinator ended by itself. [Node.Close] returns why.
var ErrStopped = errors.New("the coordinator stopped by itself")

// Start starts the program's coordinator on an open log and returns when it is ready. If it fails,
// it closes the log and the views. It calls prepare after the program's Setup, to adjust the
// configuration.
func (p *Program) Start(ctx context.Context, log Log, views *Views, data string, logger *slog.Logger, prepare func(*Setup) error) (*Node, error) {
	setup := &Setup{Data: data, Log: log, Views: views, Config: saga.Config{Logger: logger, PlansWhenRun: true}}
	if p.Setup != nil {
		if err := p.Setup(ctx, setup); err != nil {
			return nil, errors.Join(fmt.Errorf("set up %s: %w", p.Name, err), setup.close(), log.Close())
		}
	}
	setup.Config.Log = log
	if err := prepare(setup); err != nil {
		return nil, errors.Join(err, setup.close(), log.Close())
	}
	c, err := p.Coordinator(setup.Config)
	if err != nil {
		return nil, errors.Join(err, setup.close(), log.Close())
	}
	// Close ends the coordinator, not the command's interrupt, because the services that call it
	// must end first.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	n := &Node{Log: log, Coordinator: c, Logger: logger, Setup: setup, stop: stop, ended: make(chan struct{})}
	go func() {
		n.err = c.Run(life)
		close(n.ended)
	}()
	select {
	case <-c.Ready():
		return n, nil
	case <-n.ended:
		return nil, n.Close()
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), n.Close())
	}
}

// Ended is closed when the coordinator has ended.
func (n *Node) Ended() <-chan struct{} { return n.ended }

// Close stops the coordinator, waits for its end, and closes what Setup opened, the views and
// the log.
func (n *Node) Close() error {
	n.stop()
	<-n.ended
	return errors.Join(n.err, n.Setup.close(), n.Log.Close())
}
