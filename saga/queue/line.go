package queue

import "time"

// line is the queue of one group on one topic. The topic's mutex guards it.
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

// delayed is a nacked message and the timer that brings it back.
type delayed struct {
	queued
	timer *time.Timer
}

// waiting is what counts against the capacity.
func (l *line) waiting() int { return l.ready.len() + len(l.delayed) }

// hasWork reports whether a message may be handed out now.
func (l *line) hasWork() bool { return l.ready.len() > 0 && l.inFlight < l.window }

// dispatch calls on one subscription to hand out the next message, in turn and passing
// over those whose consumer has not yet received their last one: a consumer that does
// not receive holds one message and not the queue. It does nothing without work;
// whoever takes a message calls it again for the next.
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
	d.timer = time.AfterFunc(delay, func() {
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

func (l *line) remove(s *subscription) {
	for i, other := range l.subs {
		if other == s {
			l.subs = append(l.subs[:i], l.subs[i+1:]...)
			return
		}
	}
}
