package groups

import (
	"container/heap"
	"slices"
	"time"
)

// push gives messages to consumers while there is room. The group is locked.
func (g *Group) push(now time.Time) {
	if len(g.clients) == 0 {
		return
	}
	g.retry = g.pushFrom(g.retry, now)
	before := len(g.ready)
	g.ready = g.pushFrom(g.ready, now)
	if len(g.ready) < before {
		select {
		case g.room <- struct{}{}:
		default:
		}
	}
}

// pushFrom gives out what it can of the queue and returns the rest, in order. A message that is
// passed over counts as begun: later ones may be given out, but no checkpoint goes beyond it.
func (g *Group) pushFrom(queue []*message, now time.Time) []*message {
	var rest []*message
	for i, m := range queue {
		// A message waits while another one with the same id is with a consumer: an acknowledgement
		// would not say which of the two it means.
		_, same := g.outstanding[m.id]
		var client *Client
		verdict := wait
		if !same {
			clients := g.clientsFor(m)
			if len(clients) == 0 {
				g.begin(m)
				g.settle(m)
				continue
			}
			client, verdict = g.strategy.choose(clients, m)
			if verdict == full && len(clients) < len(g.clients) {
				verdict = wait // what others may have is not held up
			}
		}
		if verdict == full {
			if rest == nil {
				return queue[i:]
			}
			return append(rest, queue[i:]...)
		}
		g.begin(m)
		if verdict == wait {
			rest = append(rest, m)
			continue
		}
		queue[i] = nil
		g.give(m, client, now)
	}
	return rest
}

// clientsFor returns the consumers that may have the message.
func (g *Group) clientsFor(m *message) []*Client {
	if !slices.ContainsFunc(g.clients, func(c *Client) bool { return !c.mayHave(m) }) {
		return g.clients
	}
	return slices.DeleteFunc(slices.Clone(g.clients), func(c *Client) bool { return !c.mayHave(m) })
}

// begin counts a message among those given out, once.
func (g *Group) begin(m *message) {
	if m.order >= 0 || m.replayed() {
		return
	}
	g.knownOrder++
	m.order, m.before = g.knownOrder, g.known
	g.known = m.then
	g.readyBytes -= m.size
	heap.Push(&g.pending, m)
}

func (g *Group) give(m *message, c *Client, now time.Time) {
	m.client, m.expires = c, now.Add(g.settings.timeout())
	g.outstanding[m.id] = m
	g.stats.total++
	m.given = now
	c.take(m, g.strategy)
}

// release takes a message back from its consumer. The group is locked.
func (g *Group) release(m *message) {
	if m.client != nil {
		m.client.release(m, g.strategy)
		m.client = nil
	}
	delete(g.outstanding, m.id)
}

// settle ends a message.
func (g *Group) settle(m *message) {
	g.release(m)
	m.settled = true
	g.replays.settled(m)
}

// advance goes on after messages were settled. The group is locked.
func (g *Group) advance() {
	g.push(g.now())
	g.tryCheckpoint(false)
	g.trimParked()
}
