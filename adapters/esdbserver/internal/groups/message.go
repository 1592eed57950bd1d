package groups

import (
	"container/heap"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// message is one event on its way through a group.
type message struct {
	event streamdb.Resolved
	// id is what consumers acknowledge: the link's id if there is one.
	id uuid.UUID
	// at is the event's place in the source; events between before and at were filtered out.
	at int64
	// order numbers the messages in the order in which they were first given to a consumer. before
	// is the place that a checkpoint may name while the message is outstanding.
	order, before int64
	// then is the place up to which the events that follow were filtered out.
	then    int64
	retries int32
	// parked is the number of the link that a replayed message comes from, else -1.
	parked int64
	size   int

	// While it is with a consumer:
	client         *Client
	given, expires time.Time
	settled        bool
}

func newMessage(event streamdb.Resolved, at int64) *message {
	original := event.Original()
	m := &message{event: event, id: original.ID, at: at, then: at, order: -1, parked: -1, size: original.Size()}
	if event.Link != nil && event.Event != nil {
		m.size += event.Event.Size()
	}
	return m
}

func (m *message) replayed() bool { return m.parked >= 0 }

// byOrder is a heap of messages; the one given out first is on top.
type byOrder []*message

// Len implements heap.Interface.
func (h byOrder) Len() int { return len(h) }

// Less implements heap.Interface.
func (h byOrder) Less(i, j int) bool { return h[i].order < h[j].order }

// Swap implements heap.Interface.
func (h byOrder) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *byOrder) Push(x any) { *h = append(*h, x.(*message)) }

// Pop implements heap.Interface.
func (h *byOrder) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return m
}

// lowest returns the unsettled message that was given out first, or nil.
func (h *byOrder) lowest() *message {
	for len(*h) > 0 && (*h)[0].settled {
		heap.Pop(h)
	}
	if len(*h) == 0 {
		return nil
	}
	return (*h)[0]
}

// retryAt returns where the message belongs in the queue of those to be given out again: by their
// places, replayed ones at the end.
func retryAt(queue []*message, m *message) int {
	if m.replayed() {
		return len(queue)
	}
	i := slices.IndexFunc(queue, func(other *message) bool { return other.replayed() || m.at < other.at })
	if i < 0 {
		return len(queue)
	}
	return i
}

// sourceStream is the stream that the event, or the event that a link points to, is in.
func (m *message) sourceStream() string {
	e := m.subject()
	if e.Type == streamdb.TypeLink {
		if _, stream, ok := streamdb.ParseLink(e.Data); ok {
			return stream
		}
	}
	return e.Stream
}

// subject returns the event, or the link if its event is gone.
func (m *message) subject() *domain.Recorded {
	if m.event.Event != nil {
		return m.event.Event
	}
	return m.event.Link
}
