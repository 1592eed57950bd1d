package queue

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// maxIdle is how many workers a subscription keeps parked for the next message. More
// would save starting some in a burst, and cost a stack each between bursts.
const maxIdle = 16

// subscription hands out the messages of a line to one consumer.
//
// Watermill tells of an Ack by closing a channel of that one message, so each message
// in flight needs a goroutine that waits for it. To switch between goroutines as little as
// possible there is no dispatcher besides these workers: a worker takes a message, sends it to
// the consumer, waits until it is settled and takes the next. Only one worker of a
// subscription sends at a time (the busy one), which keeps the order and leaves the
// rest of the queue to other subscriptions when this one's consumer is slow. Workers
// are started when needed; there are never more than messages in flight and idle ones.
type subscription struct {
	line  *line
	owner *Subscriber
	out   chan *message.Message

	ctx    context.Context // of the deliveries
	cancel context.CancelFunc
	stop   chan struct{} // closed when closed becomes true
	done   chan struct{} // closed when closed and without workers

	// The topic's mutex guards what follows.

	closed    bool
	abandoned bool
	busy      bool // a worker is called, or sends
	called    bool // the call has not been answered by a worker yet
	idle      int  // workers that wait on wake
	workers   int
	wake      *sync.Cond
	unsettled map[*message.Message]struct{} // received by the consumer
	timer     *time.Timer                   // abandons the rest; nil until the context ended
	unwatch   func() bool                   // stops watching the context; nil if nothing watches it
}

func newSubscription(ctx context.Context, owner *Subscriber, l *line) *subscription {
	s := &subscription{
		line: l, owner: owner,
		out:  make(chan *message.Message),
		stop: make(chan struct{}), done: make(chan struct{}),
		wake:      sync.NewCond(&l.topic.mu),
		unsettled: map[*message.Message]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// call has a worker take a message. The subscription must not be busy.
func (s *subscription) call() {
	s.busy, s.called = true, true
	if s.idle > 0 {
		s.wake.Signal()
		return
	}
	s.workers++
	go s.work()
}

// work hands out messages one after another, until there is nothing to do for it.
func (s *subscription) work() {
	s.line.topic.mu.Lock()
	for s.awaitTurn() {
		if !s.line.hasWork() {
			s.busy = false // another subscription was faster
			continue
		}
		q := s.line.take()
		s.line.dispatch() // another subscription may have the next meanwhile
		s.line.topic.mu.Unlock()
		s.handOut(q) // locks again
	}
	s.workers--
	s.finish()
	s.line.topic.mu.Unlock()
}

// awaitTurn waits until this worker is the busy one; false means that it should end.
func (s *subscription) awaitTurn() bool {
	for !s.closed {
		switch {
		case s.called:
			s.called = false
			return true
		case !s.busy && s.line.hasWork():
			s.busy = true
			return true
		case s.idle >= maxIdle:
			return false
		}
		s.idle++
		s.wake.Wait()
		s.idle--
	}
	return false
}

// handOut sends one message and waits until it is settled. It is called without the
// lock and returns with it.
func (s *subscription) handOut(q queued) {
	mu := &s.line.topic.mu
	msg, cancel := q.delivery(s.ctx)

	sent := false
	select {
	case s.out <- msg:
		sent = true
	case <-s.stop:
		cancel()
	}

	mu.Lock()
	s.busy = false
	if s.closed {
		close(s.out)
	}
	if !sent {
		s.line.unsent(q)
		s.line.dispatch()
		return
	}
	if s.abandoned {
		msg.Nack()
	}
	s.unsettled[msg] = struct{}{}
	s.line.dispatch()
	mu.Unlock()

	acked := false
	select {
	case <-msg.Acked():
		acked = true
	case <-msg.Nacked():
	}
	cancel()

	mu.Lock()
	delete(s.unsettled, msg)
	switch {
	case acked:
		s.line.acked()
	case s.abandoned:
		s.line.abandoned(q)
	default:
		s.line.nacked(q)
	}
	if s.busy || s.closed {
		s.line.dispatch() // this worker cannot use the place that it left
	}
}

// close ends the handing out. The output channel is closed at once, or by the worker
// that is sending.
func (s *subscription) close() {
	mu := &s.line.topic.mu
	mu.Lock()
	defer mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.stop)
	s.wake.Broadcast()
	s.line.remove(s)
	if !s.busy || s.called {
		s.busy, s.called = false, false
		close(s.out)
	}
	s.line.dispatch()
	s.finish()
}

// finish closes done when nothing of the subscription is left.
func (s *subscription) finish() {
	if !s.closed || s.workers > 0 {
		return
	}
	select {
	case <-s.done:
		return
	default:
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.unwatch != nil {
		s.unwatch()
	}
	s.cancel()
	close(s.done)
}

// watch closes the subscription when ctx ends, and calls ended when nothing of it is left. It is
// called once, with the lock.
func (s *subscription) watch(ctx context.Context, ended func()) {
	s.unwatch = context.AfterFunc(ctx, func() {
		s.contextEnded()
		<-s.done
		ended()
	})
}

// contextEnded closes the subscription, and takes its messages back after the timeout.
func (s *subscription) contextEnded() {
	s.close()
	s.line.topic.mu.Lock()
	defer s.line.topic.mu.Unlock()
	if s.workers > 0 {
		s.timer = time.AfterFunc(s.line.topic.cfg.CloseTimeout, func() { s.abandon() })
	}
}

// abandon takes back what the consumer has not settled, and returns how many messages
// that were. The subscription must be closed.
func (s *subscription) abandon() int {
	mu := &s.line.topic.mu
	mu.Lock()
	defer mu.Unlock()
	s.abandoned = true
	taken := 0
	for msg := range s.unsettled {
		if msg.Nack() {
			taken++
		}
	}
	s.cancel()
	if taken > 0 {
		s.line.topic.cfg.Logger.Warn("messages were not settled when their subscription ended, and go back to the queue",
			"topic", s.line.topic.name, "group", s.line.group, "messages", taken, "timeout", s.line.topic.cfg.CloseTimeout)
	}
	return taken
}
