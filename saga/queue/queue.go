package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// ErrClosed is returned by Publish once the [Queue] is closed, and by Subscribe once it or
// the [Subscriber] is.
var ErrClosed = errors.New("queue: closed; publish and subscribe before Close")

// Queue is the in-process queue. Make one with [New]; it is safe for concurrent use.
type Queue struct {
	cfg Config
	all *Subscriber // the group "" for those who use the Queue as a Subscriber

	mu     sync.RWMutex
	topics map[string]*topic
	subs   map[*subscription]struct{}
	closed bool
}

var (
	_ message.Publisher            = (*Queue)(nil)
	_ message.Subscriber           = (*Queue)(nil)
	_ message.SubscribeInitializer = (*Queue)(nil)
)

// New returns an empty queue, or what [Config.Validate] finds wrong. It starts no goroutines.
func New(cfg Config) (*Queue, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	q := &Queue{cfg: cfg, topics: map[string]*topic{}, subs: map[*subscription]struct{}{}}
	q.all = q.Group("")
	return q, nil
}

// Publish puts messages on a topic, in their order. It copies what it needs: messages
// may be reused afterwards, their payload's bytes excepted. While the topic is full it
// blocks until there is room, the message's context ends or the queue is closed. It keeps
// the values of that context until the message is acked; a handler that publishes with
// the context of the message it received therefore passes on that whole chain.
//
// The error wraps [ErrClosed] or the cause of the context's end, and says how many of
// the messages were published; the first that failed and those behind it were not.
func (q *Queue) Publish(topic string, messages ...*message.Message) error {
	t, err := q.topic(topic)
	if err != nil {
		return err
	}
	for i, msg := range messages {
		if err := t.publish(msg.Context(), newSnapshot(msg)); err != nil {
			return fmt.Errorf("%w (%d of %d messages were published)", err, i, len(messages))
		}
	}
	return nil
}

// Publisher returns a handle whose Close leaves the queue open. Give it to Watermill
// handlers that publish: the router closes the publisher of a handler that stops.
func (q *Queue) Publisher() *Publisher { return &Publisher{queue: q} }

// Group returns a handle on a consumer group; the default group is "". Handles of the
// same name compete for the same messages. Closing one ends its own subscriptions only.
func (q *Queue) Group(name string) *Subscriber { return &Subscriber{queue: q, group: name} }

// Subscribe subscribes the default group; see [Subscriber.Subscribe].
func (q *Queue) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return q.all.Subscribe(ctx, topic)
}

// SubscribeInitialize makes the default group exist on a topic.
func (q *Queue) SubscribeInitialize(topic string) error { return q.all.SubscribeInitialize(topic) }

// Close refuses new messages, ends all subscriptions and waits until what they handed
// out is settled, at most Config.CloseTimeout. It returns an error that says how many
// messages were not. What is still queued then is dropped, and logged. Handlers that
// publish to the queue while they finish get [ErrClosed]; where that matters close
// their group first. Calling Close again is harmless.
func (q *Queue) Close() error {
	q.mu.Lock()
	again := q.closed
	q.closed = true
	q.mu.Unlock()

	for _, t := range q.topics { // closed: nobody writes to the map any more
		t.close()
	}
	unsettled := q.endSubscriptions(nil)
	if !again {
		q.reportDropped()
	}
	if unsettled > 0 {
		return fmt.Errorf("queue: closed with %d messages neither acked nor nacked after %s; let handlers end when their context does, or raise Config.CloseTimeout",
			unsettled, q.cfg.CloseTimeout)
	}
	return nil
}

func (q *Queue) reportDropped() {
	for _, t := range q.topics {
		for group, depth := range t.depths() {
			if depth.Ready > 0 {
				q.cfg.Logger.Warn("closing the queue dropped messages", "topic", t.name, "group", group, "messages", depth.Ready)
			}
		}
	}
}

// Publisher publishes to a [Queue] and cannot close it. It is safe for concurrent use.
type Publisher struct{ queue *Queue }

var _ message.Publisher = (*Publisher)(nil)

// Publish is [Queue.Publish].
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	return p.queue.Publish(topic, messages...)
}

// Close does nothing, on purpose. Watermill's router closes the publisher of a handler
// as soon as no more messages come in, while the last ones are still being handled;
// were their outputs refused, they would be nacked and handled twice. There is
// nothing to flush either: a message is in the queue when Publish returns.
func (p *Publisher) Close() error { return nil }
