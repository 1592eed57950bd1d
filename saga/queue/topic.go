package queue

import (
	"container/list"
	"context"
	"sync"
)

// topic holds the queues of all groups of one topic. Its mutex guards everything
// below it: the lines and their subscriptions.
type topic struct {
	name string
	cfg  *Config

	mu     sync.Mutex
	lines  []*line
	closed bool

	// unclaimed is true while the topic has no group and its only line holds what
	// was published so far.
	unclaimed bool

	// publishers are the blocked ones, in the order in which they came: values are
	// chan struct{}, closed by whoever removes the element to let it try again.
	publishers list.List
}

// publish puts s into the line of each group, or returns why it could not.
func (t *topic) publish(ctx context.Context, s *snapshot) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	// Nobody overtakes a publisher that is already blocked.
	if t.publishers.Len() > 0 || !t.hasRoom() {
		if err := t.awaitRoom(ctx); err != nil {
			return err
		}
	}
	if t.closed {
		return ErrClosed
	}
	if len(t.lines) == 0 {
		t.addLine("")
		t.unclaimed = true
	}
	for _, l := range t.lines {
		l.ready.pushBack(queued{snapshot: s})
		l.dispatch()
	}
	t.letPublish() // the next one, if the room that woke this one is enough for both
	return nil
}

// line returns the line of the group, and makes it if there is none yet.
func (t *topic) line(group string) *line {
	if t.unclaimed {
		t.unclaimed = false
		t.lines[0].group = group
	}
	for _, l := range t.lines {
		if l.group == group {
			return l
		}
	}
	return t.addLine(group)
}

func (t *topic) addLine(group string) *line {
	l := &line{topic: t, group: group, window: t.cfg.inFlightOf(t.name), delayed: map[*delayed]struct{}{}}
	t.lines = append(t.lines, l)
	return l
}

// close refuses further messages, wakes the blocked publishers and stops redeliveries.
func (t *topic) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for t.publishers.Len() > 0 {
		close(t.publishers.Remove(t.publishers.Front()).(chan struct{}))
	}
	for _, l := range t.lines {
		for d := range l.delayed {
			if d.alarm.Stop() {
				l.rejoin(d)
			}
		}
	}
}
