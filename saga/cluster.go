package saga

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// nodePrefix begins the names of the streams in which nodes show that they live.
const nodePrefix = domain.SystemPrefix + "node-"

const (
	nodeSeenType = "atone.node_seen.v1"
	nodeLeftType = "atone.node_left.v1"
)

type nodeSeen struct {
	Incarnation string `json:"incarnation"`
	// At is the time by the node's wall clock, and Stepped by how much that was set since the node started.
	// Nodes of earlier versions do not say.
	At      time.Time       `json:"at,omitzero"`
	Stepped domain.Duration `json:"stepped,omitzero"`
}

// cluster knows the other coordinators on a shared log. It is only for speed: whoever acts, the
// revision of the run's stream decides, so that two that act at once do no harm.
//
// The order in which nodes act on a run's due work is: the node that appended to it last, then the
// others by rendezvous hashing over the run (Thaler and Ravishankar, 1998). The k-th acts k
// times the takeover delay after the time, if nobody has.
//
// A node counts as dead when this one has read [signsOfDeath] signs of its own life in the log since
// the other's last. Clocks play no part, and neither a log that was down nor a reader that lags
// makes anybody look dead: own signs are then missing as well.
type cluster struct {
	c *Coordinator

	mu sync.Mutex
	// signs counts this node's own signs of life, as read from the log.
	signs int
	// lives is what is known of each incarnation of other nodes; of one that is missing nothing
	// was heard since this node began to listen.
	lives   map[string]life
	heardOf int // how many lives were heard of
	// own is how far this node's steady clock was ahead of the log's at its latest sign of life, nil before the first.
	own *time.Duration
}

// life is what is known of another incarnation.
type life struct {
	at     int  // how many own signs had been read when it was last heard of
	first  int  // its number among the lives that were heard of
	left   bool // it said goodbye
	buried bool // its death was dealt with
	clock  nodeClock
}

// Own signs are a quarter of the node timeout apart: five of them span it.
const (
	signsPerTimeout = 4
	signsOfDeath    = signsPerTimeout + 1
	// signsKept is for how many own signs a dead incarnation is remembered.
	signsKept = 1000
)

func (cl *cluster) init(c *Coordinator) {
	cl.c = c
	cl.lives = make(map[string]life)
}

// start shows that this node lives, and looks for others that do not.
func (cl *cluster) start() {
	if !cl.c.cfg.Shared {
		return
	}
	cl.c.goBackground(cl.show)
	cl.c.goBackground(cl.sweep)
}

// interval is the time between two signs of life.
func (cl *cluster) interval() time.Duration { return cl.c.cfg.NodeTimeout / signsPerTimeout }

func (cl *cluster) show(ctx context.Context) {
	tick := time.NewTicker(cl.interval())
	defer tick.Stop()
	for {
		cl.announce(ctx, nodeSeenType)
		select {
		case <-tick.C:
		case <-ctx.Done():
			bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			cl.announce(bye, nodeLeftType)
			return
		}
	}
}

func (cl *cluster) announce(ctx context.Context, eventType string) {
	within, stop := context.WithTimeout(ctx, cl.c.cfg.NodeTimeout) // the next sign is better than one that hangs
	defer stop()
	now := cl.c.clock.Read()
	data, err := json.Marshal(nodeSeen{Incarnation: cl.c.incarnation, At: now.Wall(), Stepped: domain.Duration(now.Stepped)})
	if err == nil {
		_, err = cl.c.log.Append(within, nodePrefix+cl.c.cfg.Node, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: eventType, Data: data})
	}
	if err != nil && ctx.Err() == nil {
		cl.c.logger.Warn("sign of life not written: others may take over this node's runs", "error", err)
	}
}

// seen notes a sign of life, or a node's leaving.
func (cl *cluster) seen(e *domain.Recorded) {
	var n nodeSeen
	if json.Unmarshal(e.Data, &n) != nil || n.Incarnation == "" {
		return
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	switch {
	case n.Incarnation == cl.c.incarnation:
		cl.signs++
		cl.own = n.aheadOfLog(e)
		for other, l := range cl.lives {
			if cl.signs-l.at > signsKept {
				delete(cl.lives, other) // what is missing here is dead
			}
		}
	default:
		l := cl.known(n.Incarnation)
		l.at, l.left, l.buried = cl.signs, e.Type == nodeLeftType, false
		if theirs := n.aheadOfLog(e); theirs != nil && cl.own != nil {
			l.clock.heard(*theirs-*cl.own, time.Duration(n.Stepped))
		}
		cl.lives[n.Incarnation] = l
	}
}

// known returns what is known of a life, which is numbered if it is new. Callers hold mu.
func (cl *cluster) known(incarnation string) life {
	l := cl.lives[incarnation]
	if l.first == 0 {
		cl.heardOf++
		l.first = cl.heardOf
	}
	return l
}

// heard notes that an incarnation wrote to a run.
func (cl *cluster) heard(incarnation string) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	l := cl.known(incarnation)
	l.at, l.buried = cl.signs, false
	cl.lives[incarnation] = l
}

// alive reports whether the coordinator of that incarnation may still be running.
func (cl *cluster) alive(incarnation string) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.aliveLocked(incarnation)
}

func (cl *cluster) aliveLocked(incarnation string) bool {
	own := cl.c.incarnation
	if incarnation == own {
		return true
	}
	if nodeOf(incarnation) == nodeOf(own) {
		return false // an earlier life of this node
	}
	l := cl.lives[incarnation]
	return !l.left && cl.signs-l.at < signsOfDeath
}

func nodeOf(incarnation string) string {
	name, _, _ := strings.Cut(incarnation, "/")
	return name
}

// rank returns this node's place in the order for a run, 0 being the first.
func (cl *cluster) rank(run domain.RunID, owner string) int {
	own := cl.c.incarnation
	if owner == own {
		return 0
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	mine, rank := weight(run, own), 0
	for node := range cl.lives {
		if node != owner && cl.aliveLocked(node) && weight(run, node) > mine {
			rank++
		}
	}
	if owner != "" && cl.aliveLocked(owner) {
		rank++
	}
	return rank
}

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

func (cl *cluster) delay(run domain.RunID, owner string) time.Duration {
	return time.Duration(cl.rank(run, owner)) * cl.c.cfg.TakeoverDelay
}

// sweep takes up the runs that were in the hands of nodes that died.
func (cl *cluster) sweep(ctx context.Context) {
	tick := time.NewTicker(cl.interval())
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		cl.tellSkew()
		died := cl.bury()
		ids := cl.c.wakeups.Choose(func(run domain.RunID, w domain.Wake, again bool) bool {
			switch {
			case !w.Busy || w.Node == "":
				return false
			case w.Node == cl.c.incarnation || again:
				return died // the dead may have ended a child run and told nobody
			}
			since, dead := cl.deadFor(w.Node)
			return dead && since >= cl.delay(run, "")
		})
		if len(ids) > 0 {
			cl.c.logger.Info("looking after the runs of a node that is gone", "runs", len(ids))
			cl.c.takeUpAll(ids)
		}
	}
}

// bury reports whether a node is dead whose death was not dealt with.
func (cl *cluster) bury() (died bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for node, l := range cl.lives {
		if !l.buried && !cl.aliveLocked(node) {
			l.buried, died = true, true
			cl.lives[node] = l
		}
	}
	return died
}

// deadFor returns whether an incarnation counts as dead, and about for how long.
func (cl *cluster) deadFor(incarnation string) (time.Duration, bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.aliveLocked(incarnation) {
		return 0, false
	}
	l := cl.lives[incarnation]
	signs := cl.signs - l.at
	if !l.left {
		signs -= signsOfDeath
	}
	return time.Duration(max(signs, 0)) * cl.interval(), true
}

// alive reports whether the coordinator that started an attempt may still be running it. With
// a broker any worker may be, and the attempt's deadline decides; with an in-process queue there
// is none but this one, unless the log is shared.
func (c *Coordinator) alive(incarnation string) bool {
	if c.cfg.Publisher != nil {
		return true
	}
	return c.cfg.Shared && c.cluster.alive(incarnation)
}

// inOtherHands reports whether a run that is under way is some living node's.
func (c *Coordinator) inOtherHands(owner string) bool {
	return c.cfg.Shared && owner != "" && owner != c.incarnation && c.cluster.alive(owner)
}

// heard is told of the events in runs' streams that are newer than this coordinator's start, where
// the log is shared. What this node has of the run in memory is brought up to date, so that those who
// wait for its end are told and attempts that are no longer wanted are cancelled.
func (c *Coordinator) heard(run domain.RunID, e *domain.Recorded) {
	c.heardEvents.Add(1)
	a, active := c.runs.peek(run)
	if a != nil {
		a.written.Store(int64(e.Revision)) // one feed, in the stream's order
	}
	w := domain.WakeOf(e.Metadata)
	if w.Node == "" {
		c.heardOfBlock(run, e)
		return // else in the middle of an append
	}
	if w.Node == c.incarnation {
		if w.Over() { // an older event of another node's may have come in between
			c.wakeups.SetAt(run, int64(e.Revision), w, c.clock.Read().Stepped, true)
		}
		return
	}
	c.cluster.heard(w.Node)
	c.wakeups.SetAt(run, int64(e.Revision), w, c.cluster.aheadOfSteady(w.Node), true)
	if a != nil && (active || w.State.Ended() || w.State == domain.RunIsStuck) {
		c.goBackground(func(ctx context.Context) {
			_ = c.do(ctx, run, &request{ctx: requestContext{actor: c.cfg.Node}}) // a reader of the run will find out as well
		})
	}
}

// heardOfBlock has a run looked at that another node can't go on with: perhaps this one has what that lacks. If not, the
// run is known to be blocked, and that this node can't help either is not worth an event, of which the others would hear.
func (c *Coordinator) heardOfBlock(run domain.RunID, e *domain.Recorded) {
	if e.Type != (*domain.RunBlocked)(nil).WireName() {
		return
	}
	if m, err := domain.DecodeMeta(e.Metadata); err == nil && m.Actor == c.cfg.Node {
		return
	}
	c.goBackground(func(context.Context) {
		c.takeUpAs(run, &request{recover: true, heard: true, ctx: requestContext{actor: c.cfg.Node}})
	})
}
