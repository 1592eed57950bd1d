package queue

import (
	"errors"
	"time"
)

// topic returns the topic of that name, and makes it if there is none yet.
func (q *Queue) topic(name string) (*topic, error) {
	q.mu.RLock()
	t, closed := q.topics[name], q.closed
	q.mu.RUnlock()
	switch {
	case closed:
		return nil, ErrClosed
	case t != nil:
		return t, nil
	case name == "":
		return nil, errors.New("queue: the topic is empty; name one")
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrClosed
	}
	if q.topics[name] == nil {
		q.topics[name] = &topic{name: name, cfg: &q.cfg}
	}
	return q.topics[name], nil
}

// endSubscriptions closes the subscriptions of one owner, or all of them if owner is nil, and waits
// until their messages are settled, at most Config.CloseTimeout in all. It returns how many
// messages had to be taken back.
func (q *Queue) endSubscriptions(owner *Subscriber) int {
	q.mu.RLock()
	var subs []*subscription
	for sub := range q.subs {
		if owner == nil || sub.owner == owner {
			subs = append(subs, sub)
		}
	}
	q.mu.RUnlock()
	for _, sub := range subs {
		sub.close()
	}

	timeout := time.NewTimer(q.cfg.CloseTimeout)
	defer timeout.Stop()
	late, taken := false, 0
	for _, sub := range subs {
		if !late {
			select {
			case <-sub.done:
			case <-timeout.C:
				late = true
			}
		}
		if late {
			taken += sub.abandon()
			<-sub.done
		}
		q.forget(sub)
	}
	return taken
}

// forget removes a subscription that has ended.
func (q *Queue) forget(sub *subscription) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.subs, sub)
}
