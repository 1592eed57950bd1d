package groups

import (
	"encoding/json"
	"hash/fnv"
	"slices"
)

// choice is what a strategy answers for one message.
type choice int

const (
	give choice = iota // to the client returned
	wait               // its client is busy: go on with the next message
	full               // no client has room
)

// strategy chooses the consumer of each message. It is called with the group locked.
type strategy interface {
	choose(clients []*Client, m *message) (*Client, choice)
}

func newStrategy(name string) strategy {
	switch name {
	case DispatchToSingle:
		return &dispatchToSingle{}
	case Pinned:
		return &pinned{key: (*message).sourceStream}
	case PinnedByCorrelation:
		return &pinned{key: correlation}
	}
	return &roundRobin{}
}

// roundRobin gives to each consumer in turn, passing over those without room.
type roundRobin struct{ next int }

func (s *roundRobin) choose(clients []*Client, _ *message) (*Client, choice) {
	for i := range clients {
		c := clients[(s.next+i)%len(clients)]
		if c.room() {
			s.next = (s.next + i + 1) % len(clients)
			return c, give
		}
	}
	return nil, full
}

// dispatchToSingle gives to one consumer until it has no room, then to the next.
type dispatchToSingle struct{ current *Client }

func (s *dispatchToSingle) choose(clients []*Client, _ *message) (*Client, choice) {
	start := max(0, slices.Index(clients, s.current))
	for i := range clients {
		c := clients[(start+i)%len(clients)]
		if c.room() {
			s.current = c
			return c, give
		}
	}
	return nil, full
}

// pinned gives all messages with the same key to the same consumer, as long as the
// consumers stay the same. When they change, a key stays where it has messages in flight.
type pinned struct{ key func(*message) string }

// buckets is the number of groups of keys that are assigned together.
const buckets = 1024

func (s *pinned) choose(clients []*Client, m *message) (*Client, choice) {
	if !slices.ContainsFunc(clients, (*Client).room) {
		return nil, full
	}
	bucket := hash(s.key(m)) % buckets
	var owner *Client
	var weight uint32
	for _, c := range clients {
		if c.buckets[bucket] > 0 {
			owner = c
			break
		}
		// The consumer with the highest hash over bucket and consumer owns the bucket: one that
		// comes or goes moves only its own share of the buckets.
		if w := hash(string([]byte{byte(bucket), byte(bucket >> 8)}) + c.id); owner == nil || w > weight {
			owner, weight = c, w
		}
	}
	if !owner.room() {
		return nil, wait
	}
	return owner, give
}

// bucketOf is the bucket that a strategy keeps the message in, for counting.
func bucketOf(s strategy, m *message) (uint32, bool) {
	p, ok := s.(*pinned)
	if !ok {
		return 0, false
	}
	return hash(p.key(m)) % buckets, true
}

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // never fails
	// FNV alone spreads its last bytes badly over the high bits; finish as murmur3 does.
	x := h.Sum32()
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	x *= 0xc2b2ae35
	return x ^ x>>16
}

// correlation is the event's $correlationId, or its stream where it has none.
func correlation(m *message) string {
	var meta struct {
		ID string `json:"$correlationId"`
	}
	if json.Unmarshal(m.subject().Metadata, &meta) == nil && meta.ID != "" {
		return meta.ID
	}
	return m.sourceStream()
}

func (c *Client) room() bool { return len(c.inFlight) < c.size && len(c.Deliveries) < c.size }
