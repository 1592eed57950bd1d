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

// The verdicts of the protocol. Stop says that the consumer is about to give up; the original
// forgets the event then, here it is parked.
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

// Connect adds a consumer that may have size messages in flight. user, from and name are
// shown in the group's info. Events that may, where it is not nil, keeps from it go to other
// consumers, or are skipped where nobody is connected who may have them. Close must be called in the end.
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

// Ack settles the events of these ids. Others are passed over: who was too slow may find
// that its event was given to somebody else, or settled.
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

// advance goes on after messages were settled. The group is locked.
func (g *Group) advance() {
	g.push(g.now())
	g.tryCheckpoint(false)
	g.trimParked()
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

// mayHave reports whether the consumer may have the message.
func (c *Client) mayHave(m *message) bool {
	return c.may == nil || c.may(m.event.Original()) && (m.event.Link == nil || m.event.Event == nil || c.may(m.event.Event))
}

func (c *Client) room() bool { return len(c.inFlight) < c.size && len(c.Deliveries) < c.size }

func (c *Client) take(m *message, s strategy) {
	c.inFlight[m.id] = m
	c.total++
	if b, ok := bucketOf(s, m); ok {
		c.buckets[b]++
	}
	c.Deliveries <- Delivery{m.event, m.retries} // room was asked for: it does not block
}

// latencyWindow is how many latencies are kept.
const latencyWindow = 1000

func (c *Client) release(m *message, s strategy) {
	if c.group.settings.ExtraStatistics {
		if len(c.latencies) >= latencyWindow {
			c.latencies = c.latencies[1:]
		}
		c.latencies = append(c.latencies, c.group.now().Sub(m.given))
	}
	delete(c.inFlight, m.id)
	if b, ok := bucketOf(s, m); ok {
		if c.buckets[b]--; c.buckets[b] == 0 {
			delete(c.buckets, b)
		}
	}
}

// groupStats are what a group's info counts.
type groupStats struct {
	total, lastTotal int64
	lastMeasure      time.Time
}

func (s *groupStats) started(now time.Time) { s.lastMeasure = now }
