package saga

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// nodeClock is what is known of another node's clock. A sign of life has its time by the node's clock, and the log adds
// the time by its own, which is the same for all: two nodes are compared by way of that, however far behind the log
// they read. A sample is off by what the appends took; of a few the middle one counts.
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

// aheadOfLog returns how far the steady clock of the sign's node was ahead of the log's; nil for a node of an earlier
// version, which does not say what its clock shows.
func (n *nodeSeen) aheadOfLog(e *domain.Recorded) *time.Duration {
	if n.At.IsZero() || e.Created.IsZero() {
		return nil
	}
	ahead := n.steady().Sub(e.Created)
	return &ahead
}

// steady is the time of the sign by the clock of its node that is never set.
func (n *nodeSeen) steady() time.Time { return n.At.Add(-time.Duration(n.Stepped)) }

// ahead returns how far the steady clock of that life of a node is ahead of this one's, if it was measured.
func (cl *cluster) ahead(incarnation string) (time.Duration, bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	l := cl.lives[incarnation]
	return l.clock.ahead()
}

// aheadOfSteady returns how far the wall clock of that life of a node is ahead of this coordinator's steady clock.
func (cl *cluster) aheadOfSteady(incarnation string) time.Duration {
	own := cl.c.clock.Read().Stepped
	cl.mu.Lock()
	defer cl.mu.Unlock()
	l := cl.lives[incarnation]
	ahead, known := l.clock.ahead()
	if !known {
		return own
	}
	return ahead + l.clock.stepped
}

// elsewhere reports whether an attempt is in the hands of another node that is alive: that one gives it up, by its
// own clock.
func (c *Coordinator) elsewhere(node string) bool {
	return c.cfg.Shared && node != "" && node != c.incarnation && c.cluster.alive(node)
}

// SkewTold is from what difference between nodes' clocks on it is told as an alert.
const SkewTold = time.Second

// NodeView is another coordinator on the same log, as this one sees it.
type NodeView struct {
	// Node is its name, Incarnation the name of its present life.
	Node, Incarnation string
	// Alive means that it showed signs of life within [Config.NodeTimeout].
	Alive bool
	// Skew is how far its wall clock is ahead of this node's, negative if behind; Known means that it was
	// measured. It is exact to about as much as the time that a sign of life takes varies.
	Skew  time.Duration
	Known bool
}

// Nodes lists the other coordinators that were heard of, by name, each in its latest life. It is empty where the log is not [Config.Shared].
func (c *Coordinator) Nodes() []NodeView {
	stepped := c.clock.Read().Stepped
	cl := &c.cluster
	cl.mu.Lock()
	defer cl.mu.Unlock()
	latest := make(map[string]string) // life by node
	for name, l := range cl.lives {
		if !l.left && nodeOf(name) != cl.c.cfg.Node && l.first > cl.lives[latest[nodeOf(name)]].first {
			latest[nodeOf(name)] = name
		}
	}
	var all []NodeView
	for _, name := range latest {
		l := cl.lives[name]
		v := NodeView{Node: nodeOf(name), Incarnation: name, Alive: cl.aliveLocked(name)}
		if ahead, known := l.clock.ahead(); known {
			v.Skew, v.Known = ahead+l.clock.stepped-stepped, true
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b NodeView) int { return cmp.Compare(a.Incarnation, b.Incarnation) })
	return all
}

// tellSkew tells of nodes whose wall clocks are far from this one's; of two nodes the one whose name comes first tells.
func (cl *cluster) tellSkew() {
	for _, n := range cl.c.Nodes() {
		if !n.Alive || !n.Known || n.Skew.Abs() <= SkewTold || cl.c.incarnation > n.Incarnation || !cl.mayTell(n.Incarnation) {
			continue
		}
		text := fmt.Sprintf("the clock of node %s is %s ahead of node %s's: see that both are set by NTP; times that somebody named come by the clock of whichever node acts", n.Node, n.Skew.Round(time.Millisecond), cl.c.cfg.Node)
		if n.Skew < 0 {
			text = fmt.Sprintf("the clock of node %s is %s behind node %s's: see that both are set by NTP; times that somebody named come by the clock of whichever node acts", n.Node, -n.Skew.Round(time.Millisecond), cl.c.cfg.Node)
		}
		cl.c.logger.Warn("the clocks of two nodes are apart", "node", n.Node, "ahead", n.Skew)
		cl.c.notify(Alert{ID: "skew/" + cl.c.incarnation + "/" + n.Incarnation, Kind: AlertSkew, At: cl.c.clock.Now(), Cause: &domain.Failure{Kind: domain.FailureRetryable, Message: text}})
	}
}

// mayTell reports whether the skew of a node is measured well enough and was not told of yet.
func (cl *cluster) mayTell(incarnation string) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	l := cl.lives[incarnation]
	if l.clock.told || len(l.clock.samples) < clockSamples {
		return false
	}
	l.clock.told = true
	cl.lives[incarnation] = l
	return true
}
