package queue

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Subscriber subscribes to a [Queue] for one consumer group. It is safe for concurrent use.
type Subscriber struct {
	queue  *Queue
	group  string
	closed bool // guarded by queue.mu
}

var (
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)

// SubscribeInitialize makes the group exist on a topic: it gets what is published from
// now on, and if it is the topic's first group also what has been published before.
// A group without subscribers fills up and then blocks the topic's publishers.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	t, err := s.queue.topic(topic)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line(s.group)
	return nil
}

// Subscribe competes for the group's messages on a topic until ctx ends or s is closed; then
// the channel is closed, and a message that was received stays the receiver's to settle for
// Config.CloseTimeout. The group exists on the topic from now on, as after
// [Subscriber.SubscribeInitialize]. Each received message must be acked or nacked.
// The error is [ErrClosed], or says that the topic has no name.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	t, err := s.queue.topic(topic)
	if err != nil {
		return nil, err
	}
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if s.closed || s.queue.closed {
		return nil, ErrClosed
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.line(s.group)
	sub := newSubscription(ctx, s, l)
	l.subs = append(l.subs, sub)
	s.queue.subs[sub] = struct{}{}
	sub.watch(ctx, func() { s.queue.forget(sub) })
	l.dispatch()
	return sub.out, nil
}

// Close ends the subscriptions of s and waits until what they handed out is settled. After
// Config.CloseTimeout the rest goes back to the group's queue, which is logged and no
// error. Calling Close again is harmless.
func (s *Subscriber) Close() error {
	s.queue.mu.Lock()
	s.closed = true
	s.queue.mu.Unlock()
	s.queue.endSubscriptions(s)
	return nil
}
