package saga

import (
	"context"
	"errors"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/queue"
)

// startWorker connects the coordinator with its workers. Without a broker and without middleware the worker in this
// process is handed each attempt as it is; else attempts travel as Watermill messages. broken has an element when a
// subscription ends by itself. stop ends what was started: it waits for handlers, but not for ever.
func (c *Coordinator) startWorker(ctx context.Context) (stop func() error, broken <-chan error, err error) {
	cfg := work.Config{Actions: c.registry.Actions(), Logger: c.logger, Outcomes: c.cfg.Publisher, Namespace: c.cfg.Namespace,
		Observer: c.cfg.Observer, Hands: &c.hands}
	if c.cfg.Publisher == nil {
		cfg.Direct = c.accept
	}
	c.worker = work.New(cfg)
	if c.cfg.Publisher == nil && len(c.cfg.Middleware) == 0 {
		c.send = c.worker.Begin
		return func() error { return c.stopWorker(nil) }, nil, nil
	}
	closeMessages, broken, err := c.startMessages(ctx)
	if err != nil {
		return nil, nil, err
	}
	return func() error { return c.stopWorker(closeMessages) }, broken, nil
}

// stopWorker waits for handlers and their outcomes, then closes the way on which messages come.
func (c *Coordinator) stopWorker(closeMessages func() error) error {
	patience := c.cfg.ShutdownTimeout
	if c.logFailed() { // no outcome can be recorded any more: whoever opens the log next finds the attempts in doubt
		patience = min(patience, failPatience)
	}
	drain, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.state.Store(stateStopped)
	c.worker.Drain(drain)
	c.endLife() // ends what still tries to have outcomes recorded
	if closeMessages == nil {
		left, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return c.worker.Wait(left)
	}
	return within(patience, closeMessages)
}

// startMessages starts the Watermill side: the coordinator publishes attempts and receives outcomes, over the broker or,
// where only middleware asks for messages, over a queue in this process.
func (c *Coordinator) startMessages(ctx context.Context) (closeAll func() error, broken <-chan error, err error) {
	out := work.OutboxConfig{Publisher: c.cfg.Publisher, Namespace: c.cfg.Namespace, Logger: c.logger, Now: c.clock.Now, Steady: c.clock.Steady,
		Life: c.life, Background: c.goBackground, GiveUp: c.giveUpUnsent}
	sub := c.cfg.Subscriber
	var own *queue.Queue
	var consumers []work.Consumer
	if out.Publisher == nil {
		own, err = queue.New(queue.Config{Capacity: 1 << 20, InFlightOf: c.inFlightOf, Logger: c.logger, CloseTimeout: c.cfg.ShutdownTimeout})
		if err != nil {
			return nil, nil, err
		}
		out.Publisher, sub = own.Publisher(), own.Group("")
	} else {
		id, err := c.logID(ctx)
		if err != nil {
			return nil, nil, err
		}
		out.Log = id.String()
		inlet := work.NewInlet(work.InletConfig{Namespace: c.cfg.Namespace, Log: out.Log, Logger: c.logger, Life: c.life, Accept: c.accept})
		consumers = append(consumers, inlet.Consumer())
	}
	outbox := work.NewOutbox(out)
	c.outbox.Store(outbox)
	c.send = outbox.Send
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

// inFlightOf lets the queue hand out as many attempts as the slots let through.
func (c *Coordinator) inFlightOf(topic string) int {
	for name, s := range c.slots {
		if ActionTopic(c.cfg.Namespace, name) == topic {
			return s.Limit()
		}
	}
	return c.cfg.ActionConcurrency
}

// accept records an outcome.
func (c *Coordinator) accept(ctx context.Context, r *work.Report) error {
	err := c.submit(context.WithoutCancel(ctx), r.Run, r.Intent())
	if errors.Is(err, ErrUnreadable) { // the attempt is in doubt for whoever can read the run
		c.logger.Error("an outcome is not recorded: its run can't be read", "run", r.Run, "step", r.Step, "attempt", r.Attempt, "failure", r.Failure, "error", err)
		return nil
	}
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNoStep) || isRefusal(err) {
		c.logger.Warn("outcome refused", "run", r.Run, "step", r.Step, "attempt", r.Attempt, "error", err)
		return nil
	}
	return err
}

// giveUpUnsent records that an attempt was none: its time was over before the broker took it.
func (c *Coordinator) giveUpUnsent(ctx context.Context, t *work.Task, why string) {
	err := c.submit(ctx, t.Run, machine.Unsent{Step: t.Step, Direction: t.Direction, Attempt: t.Attempt, Reason: why})
	if err != nil && ctx.Err() == nil {
		c.logger.Warn("attempt that the broker refused not given up, it will time out", "run", t.Run, "step", t.Step, "attempt", t.Attempt, "error", err)
	}
}

// Unsent says why an attempt was not handed to a worker yet, and is empty for one that was. It
// implements [machine.Surroundings].
func (c *Coordinator) Unsent(run domain.RunID, step string, dir domain.Direction, attempt int) string {
	outbox := c.outbox.Load()
	if outbox == nil {
		return ""
	}
	return outbox.Refused(work.AttemptID{Run: run, Step: step, Direction: dir, Number: attempt})
}
