package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/atonehq/atone/saga"
)

// ErrNoBroker means that a worker has no broker to get work from.
var ErrNoBroker = errors.New("a worker needs a broker: set Config.Publisher and Config.Subscriber in the program's Setup")

// Worker runs the program's actions over the broker that Setup gives, without a coordinator or a
// log, until ctx ends. Errors: [ErrNoBroker], and those of [saga.Worker.Run].
func (p *Program) Worker(ctx context.Context, data string, logger *slog.Logger) (err error) {
	setup := &Setup{Data: data, Config: saga.Config{Logger: logger}, Worker: true, Views: NewViews("", data)}
	defer func() { err = errors.Join(err, setup.close()) }()
	if p.Setup != nil {
		if err := p.Setup(ctx, setup); err != nil {
			return fmt.Errorf("set up %s: %w", p.Name, err)
		}
	}
	c := &setup.Config
	if c.Publisher == nil || c.Subscriber == nil {
		return ErrNoBroker
	}
	w, err := saga.NewWorker(saga.WorkerConfig{Sagas: p.Sagas, Actions: p.Actions, Namespace: c.Namespace,
		Publisher: c.Publisher, Subscriber: c.Subscriber, Middleware: c.Middleware, Observer: c.Observer,
		Logger: c.Logger, ShutdownTimeout: c.ShutdownTimeout})
	if err != nil {
		return err
	}
	c.Logger.Info("working", "program", p.Name, "namespace", c.Namespace)
	defer c.Logger.Info("stopped")
	return w.Run(ctx)
}
