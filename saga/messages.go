package saga

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/saga/queue"
)

// startWorker connects the coordinator with its workers. Without a broker and without middleware the worker in this
// process is handed each attempt as it is; else attempts travel as Watermill messages. broken has an element when a
// subscription ends by itself. stop ends what was started: it waits for handlers, but not for ever.
func (c *Coordinator) startWorker(ctx context.Context) (stop func() error, broken <-chan error, err error) {
	c.worker = newWorker(c.registry.Actions(), c.cfg.Publisher, c.logger, c.cfg.Observer, &c.hands)
	c.worker.cfg.Namespace = c.cfg.Namespace
	if c.cfg.Publisher == nil {
		c.worker.direct = c.accept
		if len(c.cfg.Middleware) == 0 {
			return func() error { return c.stopWorker(nil) }, nil, nil
		}
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
	c.worker.drain(drain)
	c.endLife() // ends what still tries to have outcomes recorded
	if closeMessages == nil {
		left, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return c.worker.wait(left)
	}
	return within(patience, closeMessages)
}

// startMessages starts the Watermill side: the coordinator publishes attempts and receives outcomes, over the broker or,
// where only middleware asks for messages, over a queue in this process.
func (c *Coordinator) startMessages(ctx context.Context) (closeAll func() error, broken <-chan error, err error) {
	sub := c.cfg.Subscriber
	var own *queue.Queue
	var consumers []consumer
	if c.publish = c.cfg.Publisher; c.publish == nil {
		own, err = queue.New(queue.Config{Capacity: 1 << 20, InFlightOf: c.inFlightOf, Logger: c.logger, CloseTimeout: c.cfg.ShutdownTimeout})
		if err != nil {
			return nil, nil, err
		}
		c.publish, sub = own.Publisher(), own.Group("")
	} else {
		id, err := c.logID(ctx)
		if err != nil {
			return nil, nil, err
		}
		c.ownLog = id.String()
		consumers = append(consumers, consumer{"outcomes", OutcomesTopic(c.cfg.Namespace), c.receive})
	}
	if !c.cfg.NoWorker {
		actions, err := c.worker.consumers(c.cfg.Middleware)
		if err != nil {
			return nil, nil, err
		}
		consumers = append(consumers, actions...)
	}
	routing, err := route(ctx, sub, consumers, c.cfg.ShutdownTimeout, c.logger)
	if err != nil {
		if own != nil {
			err = errors.Join(err, own.Close())
		}
		return nil, nil, err
	}
	return func() error {
		err := routing.close()
		if own != nil {
			err = errors.Join(err, own.Close())
		}
		return err
	}, routing.broken, nil
}

// inFlightOf lets the queue hand out as many attempts as the slots let through.
func (c *Coordinator) inFlightOf(topic string) int {
	for name, s := range c.slots {
		if ActionTopic(c.cfg.Namespace, name) == topic {
			return s.limit
		}
	}
	return c.cfg.ActionConcurrency
}

// receive takes an outcome from a broker; it is acknowledged when it is durable.
func (c *Coordinator) receive(m *message.Message) error {
	r, err := openMessage[report](m)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		c.logger.Error("unreadable outcome dropped: its attempt will time out", "message", m.UUID, "error", err)
		return nil
	}
	if r.Log != "" && r.Log != c.ownLog {
		c.foreigners.refuse(m, c, r)
		return nil
	}
	return c.accept(m.Context(), r)
}

// accept records an outcome.
func (c *Coordinator) accept(ctx context.Context, r *report) error {
	err := c.submit(detached(ctx), r.Run, r.intent())
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
