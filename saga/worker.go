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
	"github.com/atonehq/atone/saga/internal/engine"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/queue"
)

// startWorker connects the coordinator with its workers. Without a broker and middleware, the
// worker in this process gets each attempt directly; else attempts travel as Watermill messages.
// broken has an element when a subscription ends by itself. stop ends everything: it waits for
// handlers, but not for ever.
func (c *Coordinator) startWorker(ctx context.Context) (stop func() error, broken <-chan error, err error) {
	cfg := work.Config{Actions: c.registry.Actions(), Clock: c.clock, Logger: c.logger, Outcomes: c.cfg.Publisher, Namespace: c.cfg.Namespace,
		Observer: c.cfg.Observer, Hands: &c.hands}
	if c.cfg.Publisher == nil {
		cfg.Direct = c.accept
	}
	c.worker = work.New(cfg)
	if c.cfg.Publisher == nil && len(c.cfg.Middleware) == 0 {
		c.engine.UseWorker(c.worker, c.worker.Begin)
		return func() error { return c.stopWorker(nil) }, nil, nil
	}
	closeMessages, broken, err := c.startMessages(ctx)
	if err != nil {
		return nil, nil, err
	}
	return func() error { return c.stopWorker(closeMessages) }, broken, nil
}

// stopWorker waits for handlers and their outcomes, then stops receiving messages.
func (c *Coordinator) stopWorker(closeMessages func() error) error {
	patience := c.cfg.ShutdownTimeout
	// No outcome can be recorded any more: whoever opens the log next finds the attempts in doubt.
	if c.journal.HasFailed() {
		patience = min(patience, failPatience)
	}
	drain, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.state.Store(stateStopped)
	c.worker.Drain(drain)
	c.endLife() // ends what still tries to record outcomes
	// The messages have a bound of their own.
	left, cancel := context.WithTimeout(context.Background(), patience+time.Second)
	defer cancel()
	if closeMessages == nil {
		return c.worker.Wait(left)
	}
	return work.Within(left, closeMessages)
}

// startMessages starts the Watermill side: the coordinator publishes attempts and receives
// outcomes, over the broker or, if only middleware needs messages, over a queue in this process.
func (c *Coordinator) startMessages(ctx context.Context) (closeAll func() error, broken <-chan error, err error) {
	out := work.OutboxConfig{Publisher: c.cfg.Publisher, Namespace: c.cfg.Namespace, Logger: c.logger, Clock: c.clock,
		Life: c.life, Background: c.goBackground, GiveUp: c.giveUpUnsent}
	sub := c.cfg.Subscriber
	var own *queue.Queue
	var consumers []work.Consumer
	if out.Publisher == nil {
		own, err = queue.New(queue.Config{Capacity: 1 << 20, InFlightOf: c.inFlightOf, Clock: c.cfg.Clock, Logger: c.logger, CloseTimeout: c.cfg.ShutdownTimeout})
		if err != nil {
			return nil, nil, err
		}
		out.Publisher, sub = own.Publisher(), own.Group("")
	} else {
		id, err := c.journal.ID(ctx)
		if err != nil {
			return nil, nil, err
		}
		out.Log = id.String()
		inlet := work.NewInlet(work.InletConfig{Namespace: c.cfg.Namespace, Log: out.Log, Logger: c.logger, Life: c.life, Accept: c.accept})
		consumers = append(consumers, inlet.Consumer())
	}
	outbox := work.NewOutbox(out)
	c.outbox.Store(outbox)
	c.engine.UseWorker(c.worker, outbox.Send)
	if !c.cfg.NoWorker {
		actions, err := c.worker.Consumers(c.cfg.Middleware)
		if err != nil {
			return nil, nil, err
		}
		consumers = append(consumers, actions...)
	}
	routing, err := work.Route(ctx, sub, consumers, c.cfg.ShutdownTimeout, c.logger)
	if err != nil {
		if own != nil {
			err = errors.Join(err, own.Close())
		}
		return nil, nil, err
	}
	return func() error {
		err := routing.Close()
		if own != nil {
			err = errors.Join(err, own.Close())
		}
		return err
	}, routing.Broken, nil
}

// inFlightOf returns how many attempts the queue may hand out at once: as many as the action has
// places.
func (c *Coordinator) inFlightOf(topic string) int {
	for name := range c.registry.Actions() {
		if ActionTopic(c.cfg.Namespace, name) == topic {
			return c.engine.PlacesOf(name).Limit()
		}
	}
	return c.cfg.ActionConcurrency
}

// accept records an outcome.
func (c *Coordinator) accept(ctx context.Context, r *work.Report) error {
	err := c.engine.Submit(context.WithoutCancel(ctx), r.Run, r.Intent(), c.by(ctx))
	if errors.Is(err, ErrUnreadable) { // the attempt stays in doubt until a program can read it
		c.logger.Error("an outcome is not recorded: its run can't be read", "run", r.Run, "step", r.Step, "attempt", r.Attempt, "failure", r.Failure, "error", err)
		return nil
	}
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNoStep) || engine.IsRefusal(err) {
		c.logger.Warn("outcome refused", "run", r.Run, "step", r.Step, "attempt", r.Attempt, "error", err)
		return nil
	}
	return err
}

// giveUpUnsent records that an attempt timed out before the broker took it, so that it never began.
func (c *Coordinator) giveUpUnsent(ctx context.Context, t *work.Task, why string) {
	err := c.engine.Submit(ctx, t.Run, machine.Unsent{Step: t.Step, Direction: t.Direction, Attempt: t.Attempt, Reason: why}, c.by(ctx))
	if err != nil && ctx.Err() == nil {
		c.logger.Warn("could not give up an attempt that the broker refused: it will time out", "run", t.Run, "step", t.Step, "attempt", t.Attempt, "error", err)
	}
}

// Unsent says why an attempt was not handed to a worker yet; empty means that it was. It implements
// [explain.Surroundings].
func (c *Coordinator) Unsent(run domain.RunID, step string, dir domain.Direction, attempt int) string {
	outbox := c.outbox.Load()
	if outbox == nil {
		return ""
	}
	return outbox.Refused(work.AttemptID{Run: run, Step: step, Direction: dir, Number: attempt})
}

// failPatience bounds how long Run waits for handlers when the log takes no more appends.
const failPatience = 2 * time.Second

// Worker runs the handlers of actions in a process that has no coordinator, with one Watermill
// handler per action. Make one with [NewWorker]. A coordinator needs none: it has its own.
type Worker struct {
	cfg  WorkerConfig
	work *work.Worker
}

// WorkerConfig configures a [Worker] in a process of its own. Publisher, Subscriber and at least
// one saga or action are required.
type WorkerConfig struct {
	// Sagas and Actions are those whose actions the worker runs.
	Sagas   []AnySaga
	Actions []AnyAction
	// Namespace is the coordinator's [Config.Namespace].
	Namespace string
	// Subscriber delivers attempts, on a topic per action ([ActionTopic]); the workers of an action
	// compete for them in one group. Publisher takes outcomes, on [OutcomesTopic], and must return
	// only when the broker has stored them. The coordinator uses the same broker. The worker closes
	// neither.
	Publisher  message.Publisher
	Subscriber message.Subscriber
	// Middleware is added to every action's Watermill handler.
	Middleware []message.HandlerMiddleware
	// Observer is told of every attempt that runs here; may be nil.
	Observer Observer
	// Logger receives log messages; nil means slog.Default.
	Logger *slog.Logger
	// ShutdownTimeout bounds how long Run, once cancelled, waits for handlers to return; 0 means 30
	// s.
	ShutdownTimeout time.Duration
}

// NewWorker returns a worker for a process that has no coordinator. It starts nothing. If a worker
// dies, its attempts are given up at their deadlines, or when their heartbeats stop: choose
// timeouts accordingly. A handler's context here does not end when its run turns back; its effect
// is then undone.
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

// Run runs attempts until ctx ends. It then cancels do handlers, waits for undo handlers, and
// returns after the last handler. Call it once. It returns an error if a Subscribe fails or a
// subscription ends by itself.
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
