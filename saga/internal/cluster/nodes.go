package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// SkewTold is the difference between two nodes' clocks above which an alert is told.
const SkewTold = time.Second

// Node is a coordinator on the log, as this one sees it.
type Node struct {
	// Name is as configured; Incarnation identifies its present process.
	Name, Incarnation string
	// Self means that it is this coordinator.
	Self bool
	// Alive means that it showed signs of life within the node timeout.
	Alive bool
	// LastSign is when the log took its latest sign of life, by the log's clock; zero before the
	// first, and where the log is not shared.
	LastSign time.Time
	// Skew is how far its wall clock is ahead of this node's, negative if behind. SkewKnown means
	// that it was measured. The error is the variation in how long signs of life take.
	Skew      time.Duration
	SkewKnown bool
}

// Nodes lists, by name, this node and the others that were heard of and have not left, each with
// its latest incarnation.
func (c *Cluster) Nodes() []Node {
	stepped := c.cfg.Clock.Read().Stepped
	c.mu.Lock()
	defer c.mu.Unlock()
	latest := make(map[string]string) // incarnation by node
	for incarnation, l := range c.lives {
		name := nodeOf(incarnation)
		if !l.left && name != c.cfg.Node && l.first > c.lives[latest[name]].first {
			latest[name] = incarnation
		}
	}
	self := Node{Name: c.cfg.Node, Incarnation: c.cfg.Incarnation, Self: true, Alive: true, LastSign: c.ownSign, SkewKnown: true}
	all := []Node{self}
	for name, incarnation := range latest {
		l := c.lives[incarnation]
		n := Node{Name: name, Incarnation: incarnation, Alive: c.alive(incarnation), LastSign: l.sign}
		if ahead, known := l.clock.ahead(); known {
			n.Skew, n.SkewKnown = ahead+l.clock.stepped-stepped, true
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// tellSkew alerts about nodes whose wall clocks are far from this one's. Of two nodes, the one
// whose name comes first does it.
func (c *Cluster) tellSkew() {
	for _, n := range c.Nodes() {
		if n.Self || !n.Alive || !n.SkewKnown || n.Skew.Abs() <= SkewTold || c.cfg.Incarnation > n.Incarnation || !c.mayTell(n.Incarnation) {
			continue
		}
		off, where := n.Skew, "ahead of"
		if off < 0 {
			off, where = -off, "behind"
		}
		text := fmt.Sprintf("the clock of node %s is %s %s node %s's: set both by NTP; a named time is reached by the clock of the node that acts",
			n.Name, off.Round(time.Millisecond), where, c.cfg.Node)
		c.cfg.Logger.Warn("the clocks of two nodes are apart", "node", n.Name, "ahead", n.Skew)
		c.cfg.Notify(domain.Alert{ID: "skew/" + c.cfg.Incarnation + "/" + n.Incarnation, Kind: domain.AlertSkew, At: c.cfg.Clock.Now(),
			Cause: &domain.Failure{Kind: domain.FailureRetryable, Message: text}})
	}
}

// mayTell reports whether the skew of a node is measured well enough and was not reported yet.
func (c *Cluster) mayTell(incarnation string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lives[incarnation]
	if l.clock.told || len(l.clock.samples) < clockSamples {
		return false
	}
	l.clock.told = true
	c.lives[incarnation] = l
	return true
}
