package cluster

import (
	"hash/fnv"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Delay returns how long after the due time this node acts on a run that owner last wrote to; an
// empty owner means none.
func (c *Cluster) Delay(run domain.RunID, owner string) time.Duration {
	return time.Duration(c.Rank(run, owner)) * c.cfg.TakeoverDelay
}

// Rank returns this node's place in the order in which nodes act on a run; 0 is the first.
func (c *Cluster) Rank(run domain.RunID, owner string) int {
	own := c.cfg.Incarnation
	if owner == own {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	mine, rank := weight(run, own), 0
	for node := range c.lives {
		if node != owner && c.alive(node) && weight(run, node) > mine {
			rank++
		}
	}
	if owner != "" && c.alive(owner) {
		rank++
	}
	return rank
}

// Interval is the time between two signs of life.
func (c *Cluster) Interval() time.Duration { return c.cfg.NodeTimeout / signsPerTimeout }

// weight is the rendezvous weight of a node for a run.
func weight(run domain.RunID, node string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(run[:])
	_, _ = h.Write([]byte(nodeOf(node)))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// Alive reports whether the coordinator of that incarnation may still be running.
func (c *Cluster) Alive(incarnation string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alive(incarnation)
}

// alive is [Cluster.Alive]. Callers hold mu.
func (c *Cluster) alive(incarnation string) bool {
	own := c.cfg.Incarnation
	if incarnation == own {
		return true
	}
	if nodeOf(incarnation) == nodeOf(own) {
		return false // an earlier life of this node
	}
	l := c.lives[incarnation]
	return !l.left && c.signs-l.at < signsOfDeath
}

// nodeOf returns the node's name of an incarnation.
func nodeOf(incarnation string) string {
	name, _, _ := strings.Cut(incarnation, "/")
	return name
}
