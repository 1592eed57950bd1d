package work

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/saga/internal/contain"
)

// Consumer handles the messages of a topic.
type Consumer struct {
	Name, Topic string
	Handle      message.NoPublishHandlerFunc
}

// Routing is a running Watermill router. The subscriptions are made before it runs: a router whose
// Subscribe fails returns, but neither ends the handlers that it began nor can be closed.
type Routing struct {
	router *message.Router
	subs   *subscriptions
	ended  chan error
	// Broken has an element when a subscription has ended by itself, so that nobody receives its
	// messages.
	Broken   chan error
	stopping chan struct{}
}

// Route subscribes to the consumers' topics and handles their messages until [Routing.Close]. If a
// subscription fails, or ctx ends before, it returns an error and leaves nothing running.
func Route(ctx context.Context, sub message.Subscriber, consumers []Consumer, timeout time.Duration, logger *slog.Logger) (*Routing, error) {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: timeout}, watermillLogger(logger))
	if err != nil {
		return nil, fmt.Errorf("watermill router: %w", err)
	}
	subs, err := subscribe(ctx, sub, consumers)
	if err != nil {
		return nil, err
	}
	r := &Routing{router: router, subs: subs, ended: make(chan error, 1), Broken: make(chan error, 1), stopping: make(chan struct{})}
	handlers := make([]*message.Handler, len(consumers))
	for i, c := range consumers {
		handlers[i] = router.AddConsumerHandler(c.Name, c.Topic, subs, c.Handle)
	}
	go func() { r.ended <- router.Run(context.Background()) }()
	<-router.Running() // it can't fail, because the subscriptions exist
	for i, h := range handlers {
		go r.watch(h, consumers[i].Topic)
	}
	return r, nil
}

// watch reports a handler whose subscription ends too early.
func (r *Routing) watch(h *message.Handler, topic string) {
	select {
	case <-h.Stopped():
	case <-r.stopping:
		return
	}
	select {
	case <-r.stopping:
	case r.Broken <- fmt.Errorf("the subscription to %s has ended by itself: check the broker, and start again", topic):
	default:
	}
}

// Close ends the subscriptions and waits for the handlers, for as long as the router's timeout.
func (r *Routing) Close() error {
	close(r.stopping)
	err := r.router.Close()
	return errors.Join(err, <-r.ended)
}

// subscriptions is a [message.Subscriber] that returns subscriptions which were made before.
// Closing it ends them; it does not close the user's subscriber.
type subscriptions struct {
	end    context.CancelFunc
	topics map[string]subscription
}

type subscription struct {
	end      context.CancelFunc
	messages <-chan *message.Message
}

// Subscribe implements [message.Subscriber]. Of a router that closes, either the context ends or
// Close is called.
func (s *subscriptions) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	context.AfterFunc(ctx, s.topics[topic].end)
	return s.topics[topic].messages, nil
}

// Close implements [message.Subscriber].
func (s *subscriptions) Close() error {
	s.end()
	return nil
}

// subscribe subscribes to all topics or, if that fails or ctx ends before, to none.
func subscribe(ctx context.Context, sub message.Subscriber, consumers []Consumer) (*subscriptions, error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s := &subscriptions{end: end, topics: make(map[string]subscription, len(consumers))}
	done := make(chan error, 1)
	go func() {
		for _, c := range consumers {
			own, endOne := context.WithCancel(life)
			messages, err := subscribeTo(own, sub, c.Topic)
			if err != nil {
				endOne()
				s.giveUp()
				done <- err
				return
			}
			s.topics[c.Topic] = subscription{endOne, messages}
		}
		done <- nil
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, err
		}
		return s, nil
	case <-ctx.Done():
	}
	end()
	select {
	case err := <-done:
		if err == nil {
			s.giveUp()
		}
	case <-time.After(subscribePatience):
		go func() { // Subscribe ignores its context: discard what it may still return
			if <-done == nil {
				s.giveUp()
			}
		}()
	}
	return nil, fmt.Errorf("stopped while subscribing: %w", context.Cause(ctx))
}

// subscribePatience is how long to wait for a Subscribe whose context has ended.
const subscribePatience = time.Second

func subscribeTo(ctx context.Context, sub message.Subscriber, topic string) (messages <-chan *message.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = contain.Panic(p)
		}
		if err != nil {
			err = fmt.Errorf("subscribe to %s: %w", topic, err)
		}
	}()
	messages, err = sub.Subscribe(ctx, topic)
	if err == nil && messages == nil {
		err = errors.New("the subscriber returned no channel")
	}
	return messages, err
}

// giveUp ends the subscriptions that there are and gives back what they have handed out.
func (s *subscriptions) giveUp() {
	s.end()
	for _, topic := range s.topics {
		for open := true; open; {
			select {
			case m, more := <-topic.messages:
				if open = more; more {
					m.Nack()
				}
			case <-time.After(subscribePatience): // it does not heed its context
				open = false
			}
		}
	}
}
