package queue

import (
	"slices"

	"github.com/atonehq/atone/saga/clock"
)

// line holds the messages of one group on one topic. The topic's mutex guards it.
type line struct {
	topic *topic
	group string

	ready    ring
	delayed  map[*delayed]struct{} // nacked, waiting for their redelivery
	inFlight int                   // taken from ready and not settled
	window   int                   // the most that inFlight may be

	subs []*subscription // open ones
	next int             // the one in subs whose turn it is
}

// delayed is a nacked message and the alarm that brings it back.
type delayed struct {
	queued
	alarm clock.Alarm
}

// hasWork reports whether a message may be handed out now.
func (l *line) hasWork() bool { return l.ready.len() > 0 && l.inFlight < l.window }

// dispatch calls on one subscription to hand out the next message. Subscriptions take turns; one
// whose consumer has not received its last message is passed over, so that a slow consumer holds
// one message and not the queue. Without work dispatch does nothing. Whoever takes a message calls
// it again for the next one.
func (l *line) dispatch() {
	if !l.hasWork() {
		return
	}
	for range l.subs {
		if l.next >= len(l.subs) {
			l.next = 0
		}
		s := l.subs[l.next]
		l.next++
		if !s.busy {
			// up: a message calls on a worker, and a worker takes messages: each drives the other
			s.call()
			return
		}
	}
}

// take removes the next message; there must be work.
func (l *line) take() queued {
	q := l.ready.popFront()
	l.inFlight++
	l.topic.letPublish()
	return q
}

// acked ends the flight of a message.
func (l *line) acked() { l.inFlight-- }

// unsent takes back a message that no consumer received; it keeps its place.
func (l *line) unsent(q queued) {
	l.inFlight--
	l.ready.pushFront(q)
}

// abandoned takes back a message whose subscription ended. It is oldest, so it goes first.
func (l *line) abandoned(q queued) {
	q.delivered++
	l.unsent(q)
}

// nacked brings a message back after its delay.
func (l *line) nacked(q queued) {
	l.inFlight--
	q.delivered++
	delay := l.topic.cfg.RedeliveryDelay(q.delivered)
	if delay <= 0 || l.topic.closed {
		l.ready.pushBack(q)
		return
	}
	d := &delayed{queued: q}
	l.delayed[d] = struct{}{}
	d.alarm = l.topic.cfg.Clock.At(l.topic.cfg.Clock.Steady()+delay, func() {
		l.topic.mu.Lock()
		defer l.topic.mu.Unlock()
		l.rejoin(d)
		l.dispatch()
	})
}

// rejoin ends the delay of a message.
func (l *line) rejoin(d *delayed) {
	delete(l.delayed, d)
	l.ready.pushBack(d.queued)
}

// remove forgets a subscription that was closed.
func (l *line) remove(s *subscription) {
	l.subs = slices.DeleteFunc(l.subs, func(other *subscription) bool { return other == s })
}
