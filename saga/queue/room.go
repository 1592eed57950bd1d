package queue

import (
	"container/list"
	"context"
	"fmt"
)

// awaitRoom blocks until every line has room, ctx ends or the topic is closed. It releases the
// topic's lock while it waits, and returns with the lock held.
func (t *topic) awaitRoom(ctx context.Context) error {
	woken := false
	for !t.closed && (!woken || !t.hasRoom()) {
		wake := make(chan struct{})
		var place *list.Element
		if woken {
			place = t.publishers.PushFront(wake)
		} else {
			place = t.publishers.PushBack(wake)
		}
		t.mu.Unlock()
		select {
		case <-wake:
			t.mu.Lock()
			woken = true
		case <-ctx.Done():
			t.mu.Lock()
			select {
			case <-wake:
				t.letPublish() // it was this one's turn: pass it on
			default:
				t.publishers.Remove(place)
			}
			return fmt.Errorf("queue: topic %q stayed full (%d messages wait) until the message's context ended; add consumers or raise Config.Capacity: %w",
				t.name, t.cfg.Capacity, context.Cause(ctx))
		}
	}
	if t.closed {
		return ErrClosed
	}
	return nil
}

// hasRoom reports whether every line has room for one more message.
func (t *topic) hasRoom() bool {
	for _, l := range t.lines {
		if l.ready.len()+len(l.delayed) >= t.cfg.Capacity {
			return false
		}
	}
	return true
}

// letPublish lets the first blocked publisher try again if there is room.
func (t *topic) letPublish() {
	if first := t.publishers.Front(); first != nil && t.hasRoom() {
		close(t.publishers.Remove(first).(chan struct{}))
	}
}
