package cluster

import (
	"slices"
	"time"
)

// nodeClock measures another node's clock. A sign of life has a time of the node's clock, and the
// log adds a time of its own clock. As all nodes use the same log, these differences compare any
// two nodes, however late the signs are read. A sample is off by the duration of the append, so the
// median of a few counts.
type nodeClock struct {
	// samples are how far the node's steady clock was ahead of this node's, the latest last.
	samples []time.Duration
	stepped time.Duration
	told    bool // an alert told of the skew
}

const clockSamples = 5

func (k *nodeClock) heard(ahead, stepped time.Duration) {
	k.samples = append(slices.Clone(k.samples), ahead)
	if n := len(k.samples); n > clockSamples {
		k.samples = k.samples[n-clockSamples:]
	}
	k.stepped = stepped
}

// ahead returns how far the node's steady clock is ahead of this node's, if that is known.
func (k *nodeClock) ahead() (time.Duration, bool) {
	if len(k.samples) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(k.samples))
	return sorted[len(sorted)/2], true
}

// Ahead returns how far the steady clock of that life of a node is ahead of this one's, if it was
// measured.
func (c *Cluster) Ahead(incarnation string) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lives[incarnation]
	return l.clock.ahead()
}

// AheadOfSteady returns how far the wall clock of that life of a node is ahead of this node's
// steady clock. If that was not measured, it assumes that the two nodes' wall clocks agree.
func (c *Cluster) AheadOfSteady(incarnation string) time.Duration {
	own := c.cfg.Clock.Read().Stepped
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lives[incarnation]
	ahead, known := l.clock.ahead()
	if !known {
		return own
	}
	return ahead + l.clock.stepped
}
