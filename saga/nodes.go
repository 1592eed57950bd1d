package saga

import (
	"time"

	"github.com/atonehq/atone/saga/internal/cluster"
)

// SkewTold is the difference between two nodes' clocks above which an alert is told.
const SkewTold = cluster.SkewTold

// Node is a coordinator on the log, as this one sees it.
type Node struct {
	// Name is that of [Config.Node]; Incarnation names the node's present life.
	Name, Incarnation string
	// Self means that it is this coordinator.
	Self bool
	// Alive means that it showed signs of life within [Config.NodeTimeout].
	Alive bool
	// LastSign is when the log took its latest sign of life, by the log's clock; zero before the
	// first, and where the log is not [Config.Shared].
	LastSign time.Time
	// Skew is how far its wall clock is ahead of this node's, negative if behind. SkewKnown means
	// that it was measured. It is as exact as the time that a sign of life takes is steady.
	Skew      time.Duration
	SkewKnown bool
}

// Nodes lists this coordinator and the others on its log that were heard of and have not left, by
// name, each in its latest life. Where the log is not [Config.Shared] there are no others.
func (c *Coordinator) Nodes() []Node {
	var nodes []Node
	for _, n := range c.cluster.Nodes() {
		nodes = append(nodes, Node(n))
	}
	return nodes
}
