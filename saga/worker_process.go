package saga

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/work"
)

// Worker runs the handlers of actions in a process that has no coordinator: it is one Watermill handler
// per action. Make one with [NewWorker]. A coordinator has one of its own.
type Worker struct {
	cfg  WorkerConfig
	work *work.Worker
}

// WorkerConfig configures a [Worker] in a process of its own. Publisher, Subscriber and at least one saga or
// action are required.
type WorkerConfig struct {
	// Sagas and Actions are those whose actions the worker runs.
	Sagas   []AnySaga
	Actions []AnyAction
	// Namespace is the coordinator's [Config.Namespace].
	Namespace string
	// Subscriber delivers attempts, on a topic per action ([ActionTopic]); the workers of an action compete for
	// them in one group. Publisher takes outcomes, on [OutcomesTopic], and returns when the broker has them
	// for good. The coordinator is given the same broker. Neither is closed.
	Publisher  message.Publisher
	Subscriber message.Subscriber
	// Middleware is added to every action's Watermill handler.
	Middleware []message.HandlerMiddleware
	// Observer is told of every attempt that runs here; may be nil.
	Observer Observer
	// Logger receives what people may want to know; nil means slog.Default.
	Logger *slog.Logger
	// ShutdownTimeout bounds how long Run, once cancelled, waits for handlers to return; 0 means 30 s.
	ShutdownTimeout time.Duration
}

// NewWorker returns a worker for a process that has no coordinator. It starts nothing. An attempt whose worker
// dies is given up at its deadline, or when its heartbeat stops: set timeouts with that in mind.
// The context of a handler here does not end when its run is turned back; its outcome is then undone.
func NewWorker(cfg WorkerConfig) (*Worker, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.ShutdownTimeout = cmp.Or(cfg.ShutdownTimeout, 30*time.Second)
	r := definition.NewRegistry()
	var errs []error
	if cfg.Publisher == nil || cfg.Subscriber == nil {
		errs = append(errs, errors.New("WorkerConfig needs a Publisher and a Subscriber: the broker that the coordinator uses"))
	}
	if len(cfg.Sagas)+len(cfg.Actions) == 0 {
		errs = append(errs, errors.New("WorkerConfig has no Sagas and no Actions: there is nothing to run"))
	}
	if err := work.CheckNamespace(cfg.Namespace); err != nil {
		errs = append(errs, fmt.Errorf("WorkerConfig: %w", err))
	}
	if cfg.ShutdownTimeout < 0 {
		errs = append(errs, errors.New("WorkerConfig.ShutdownTimeout is negative"))
	}
	for _, s := range cfg.Sagas {
		errs = append(errs, addSaga(r, s))
	}
	for _, a := range cfg.Actions {
		errs = append(errs, addAction(r, a))
	}
	if err := domain.JoinOnce(errs...); err != nil {
		return nil, err
	}
	return &Worker{cfg: cfg, work: work.New(work.Config{Actions: r.Actions(), Logger: cfg.Logger, Outcomes: cfg.Publisher,
		Namespace: cfg.Namespace, Observer: cfg.Observer})}, nil
}

// Run runs attempts until ctx ends, and returns after the last handler has: do handlers are then cancelled, undo
// handlers awaited. It can be called once. An error is that of a Subscribe that failed, or that a subscription
// ended by itself.
func (w *Worker) Run(ctx context.Context) error {
	consumers, err := w.work.Consumers(w.cfg.Middleware)
	if err != nil {
		return err
	}
	routing, err := work.Route(ctx, w.cfg.Subscriber, consumers, w.cfg.ShutdownTimeout, w.cfg.Logger)
	if err != nil {
		return startError(ctx, fmt.Errorf("worker: %w", err))
	}
	select {
	case <-ctx.Done():
	case err = <-routing.Broken:
		err = fmt.Errorf("worker: %w", err)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.ShutdownTimeout)
	defer cancel()
	w.work.Drain(drain)
	return errors.Join(err, routing.Close())
}
