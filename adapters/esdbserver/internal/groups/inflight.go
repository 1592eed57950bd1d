package groups

// mayHave reports whether the consumer may have the message.
func (c *Client) mayHave(m *message) bool {
	return c.may == nil || c.may(m.event.Original()) && (m.event.Link == nil || m.event.Event == nil || c.may(m.event.Event))
}

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
