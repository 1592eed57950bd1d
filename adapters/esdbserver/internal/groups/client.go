package groups

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// Delivery is an event that a consumer is to handle.
type Delivery struct {
	Event streamdb.Resolved
	// Retries is how often it was given out before.
	Retries int32
}

// Verdict is what a consumer says of an event that it did not handle.
type Verdict int

// The verdicts of the protocol. Stop says that the consumer is about to give up: EventStoreDB
// forgets the event then, this package parks it.
const (
	Retry Verdict = iota
	Park
	Skip
	Stop
)

// Client is one consumer of a group.
type Client struct {
	// Deliveries yields what the consumer is to handle. It is never closed: see Gone.
	Deliveries chan Delivery
	// Gone is closed when the group has ended the connection; Err says why.
	Gone chan struct{}

	id, user, from, name string
	// may says what of the group's events the consumer may have; nil means everything.
	may              func(*domain.Recorded) bool
	group            *Group
	size             int
	inFlight         map[uuid.UUID]*message
	buckets          map[uint32]int
	reason           error
	total, lastTotal int64
	// latencies are how long the newest messages were with the consumer, oldest first, for a
	// group with extra statistics.
	latencies []time.Duration
}

// Connect adds a consumer that may have size messages in flight. user, from and name are shown in
// the group's info. may says which events the consumer may have; nil means all. An event that it
// may not have goes to another consumer, and is skipped if no consumer that is connected may have
// it. Connect returns [ErrMaxSubscribers], [ErrDropped] or [ErrFaulted]. The caller must call Close
// in the end.
func (g *Group) Connect(size int, user, from, name string, may func(*domain.Recorded) bool) (*Client, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dropped != nil {
		return nil, g.dropped
	}
	if limit := int(g.settings.MaxSubscriberCount); limit > 0 && len(g.clients) >= limit {
		return nil, ErrMaxSubscribers
	}
	c := &Client{
		Deliveries: make(chan Delivery, size), Gone: make(chan struct{}),
		id: uuid.NewString(), user: user, from: from, name: name, may: may,
		group: g, size: size, inFlight: map[uuid.UUID]*message{}, buckets: map[uint32]int{},
	}
	g.clients = append(g.clients, c)
	g.push(g.now())
	return c, nil
}

// Err says why the group ended the connection, once Gone is closed.
func (c *Client) Err() error {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	return c.reason
}

// Close removes the consumer. What it had in flight is given out again.
func (c *Client) Close() {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(c, ErrDropped)
	g.push(g.now())
}

// Ack settles the events of these ids. An id that is not outstanding is passed over: the event of a
// slow consumer may have been settled by another one.
func (c *Client) Ack(ids []uuid.UUID) {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range ids {
		if m := g.outstanding[id]; m != nil {
			g.settle(m)
		}
	}
	g.advance()
}

// Nack says that the consumer did not handle the events of these ids.
func (c *Client) Nack(ids []uuid.UUID, verdict Verdict, reason string) {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range ids {
		m := g.outstanding[id]
		if m == nil || m.client != c {
			continue // not with this consumer any more
		}
		switch verdict {
		case Skip:
			g.settle(m)
		case Retry:
			g.giveBack(m, true)
		case Stop:
			g.park(m, "Client stopped at the message.\n"+reason)
		default:
			g.park(m, "Client explicitly NAK'ed message.\n"+reason)
		}
	}
	g.advance()
}

// remove ends a connection and gives back what it had in flight, without parking.
func (g *Group) remove(c *Client, reason error) {
	i := slices.Index(g.clients, c)
	if i < 0 {
		return
	}
	g.clients = slices.Delete(g.clients, i, i+1)
	c.reason = reason
	close(c.Gone)
	lost := make([]*message, 0, len(c.inFlight))
	for _, m := range c.inFlight {
		lost = append(lost, m)
	}
	slices.SortFunc(lost, func(a, b *message) int { return int(a.at - b.at) })
	for _, m := range lost {
		g.giveBack(m, false)
	}
}

// drop ends all consumers' connections.
func (g *Group) drop(reason error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropped = reason
	for _, c := range slices.Clone(g.clients) {
		g.remove(c, reason)
	}
}
