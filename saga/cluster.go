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
}

// cluster knows the other coordinators on a shared log. It is only for speed: whoever acts, the
// revision of the run's stream decides, so that two that act at once do no harm.
//
// The order in which nodes act on a run's due work is: the node that appended to it last, then the
// others by rendezvous hashing over the run (Thaler and Ravishankar, 1998). The k-th acts k
// times the takeover delay after the time, if nobody has.
type cluster struct {
	c *Coordinator

	mu sync.Mutex
	// lives holds when each incarnation was last heard of, by this node's clock.
	lives map[string]time.Time
	// left holds the incarnations that said goodbye.
	left map[string]bool
	// began is when this node started to listen: what it has not heard of by the timeout is dead.
	began time.Time
}

func (cl *cluster) init(c *Coordinator) {
	cl.c = c
	cl.lives = make(map[string]time.Time)
	cl.left = make(map[string]bool)
	if c.cfg.Shared {
		c.wakeups.delay = cl.delay
	}
}

// start shows that this node lives, and looks for others that do not.
func (cl *cluster) start() {
	if !cl.c.cfg.Shared {
		return
	}
	cl.mu.Lock()
	cl.began = time.Now()
	cl.mu.Unlock()
	cl.c.goBackground(cl.show)
	cl.c.goBackground(cl.sweep)
}

func (cl *cluster) show(ctx context.Context) {
	tick := time.NewTicker(cl.c.cfg.NodeTimeout / 4)
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
	data, err := json.Marshal(nodeSeen{Incarnation: cl.c.incarnation})
	if err == nil {
		_, err = cl.c.log.Append(ctx, nodePrefix+cl.c.cfg.Node, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: eventType, Data: data})
	}
	if err != nil && ctx.Err() == nil {
		cl.c.logger.Warn("sign of life not written: others may take over this node's runs", "error", err)
	}
}

// seen notes a sign of life, or a node's leaving.
func (cl *cluster) seen(e *domain.Recorded) {
	var n nodeSeen
	if json.Unmarshal(e.Data, &n) != nil || time.Since(e.Created) > cl.c.cfg.NodeTimeout {
		return
	}
	if e.Type == nodeLeftType {
		cl.mu.Lock()
		cl.left[n.Incarnation] = true
		cl.mu.Unlock()
		return
	}
	cl.heard(n.Incarnation)
}

func (cl *cluster) heard(incarnation string) {
	if incarnation == "" {
		return
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.lives[incarnation] = time.Now()
}

// alive reports whether the coordinator of that incarnation may still be running.
func (cl *cluster) alive(incarnation string) bool {
	own := cl.c.incarnation
	if incarnation == own {
		return true
	}
	if nodeOf(incarnation) == nodeOf(own) {
		return false // an earlier life of this node
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.aliveLocked(incarnation)
}

func (cl *cluster) aliveLocked(incarnation string) bool {
	if cl.left[incarnation] {
		return false
	}
	last := cl.lives[incarnation]
	if last.IsZero() {
		last = cl.began
	}
	return last.IsZero() || time.Since(last) < cl.c.cfg.NodeTimeout
}

func nodeOf(incarnation string) string {
	name, _, _ := strings.Cut(incarnation, "/")
	return name
}

// rank returns this node's place in the order for a run, 0 being the first.
func (cl *cluster) rank(run domain.RunID, owner string) int {
	own := cl.c.incarnation
	cl.mu.Lock()
	defer cl.mu.Unlock()
	ownerLives := owner != "" && owner != own && nodeOf(owner) != nodeOf(own) && cl.aliveLocked(owner)
	if owner == own {
		return 0
	}
	mine, rank := weight(run, own), 0
	for node := range cl.lives {
		if node != own && node != owner && nodeOf(node) != nodeOf(own) && cl.aliveLocked(node) && weight(run, node) > mine {
			rank++
		}
	}
	if ownerLives {
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
	tick := time.NewTicker(cl.c.cfg.NodeTimeout / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		ids := cl.c.wakeups.choose(func(run domain.RunID, w domain.Wake) bool {
			if !w.Busy || w.Node == "" || w.Node == cl.c.incarnation {
				return false
			}
			silent, dead := cl.silent(w.Node)
			return dead && silent >= cl.c.cfg.NodeTimeout+cl.delay(run, "")
		})
		if len(ids) > 0 {
			cl.c.logger.Info("taking up the runs of a node that is gone", "runs", len(ids))
			cl.c.takeUpAll(ids)
		}
	}
}

// silent returns for how long an incarnation was not heard of, and whether it counts as dead.
func (cl *cluster) silent(incarnation string) (time.Duration, bool) {
	if cl.alive(incarnation) {
		return 0, false
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	last, known := cl.lives[incarnation]
	if !known {
		last = cl.began
	}
	return time.Since(last), true
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

// heard is told of every event in runs' streams, where the log is shared. What this node has of
// the run in memory is brought up to date, and those who wait for its end are told.
func (c *Coordinator) heard(run domain.RunID, e *domain.Recorded) {
	w := wakeOf(e.Metadata)
	if w.Node == "" || w.Node == c.incarnation {
		return
	}
	c.cluster.heard(w.Node)
	c.wakeups.set(run, w, true)
	if a := c.runs.peek(run); a != nil && (w.State.Ended() || w.State == domain.RunIsStuck || a.waitedFor()) {
		c.goBackground(func(ctx context.Context) {
			_ = c.do(ctx, run, &request{refresh: int64(e.Revision), ctx: requestContext{actor: c.cfg.Node}}) // a reader of the run will find out as well
		})
	}
}
