package cluster

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// StreamPrefix begins the names of the streams in which nodes show that they live.
const StreamPrefix = domain.SystemPrefix + "node-"

const (
	nodeSeenType = "atone.node_seen.v1"
	nodeLeftType = "atone.node_left.v1"
)

// sign is the data of a sign of life.
type sign struct {
	Incarnation string `json:"incarnation"`
	// At is the time on the node's wall clock. Stepped is how far that clock was set since the node
	// started; nodes of earlier versions omit it.
	At      time.Time       `json:"at,omitzero"`
	Stepped domain.Duration `json:"stepped,omitzero"`
}

func (c *Cluster) show(ctx context.Context) {
	tick := time.NewTicker(c.Interval())
	defer tick.Stop()
	for {
		c.announce(ctx, nodeSeenType)
		select {
		case <-tick.C:
		case <-ctx.Done():
			bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			c.announce(bye, nodeLeftType)
			return
		}
	}
}

func (c *Cluster) announce(ctx context.Context, eventType string) {
	// Bounded, because the next sign is better than one that hangs.
	within, stop := context.WithTimeout(ctx, c.cfg.NodeTimeout)
	defer stop()
	now := c.cfg.Clock.Read()
	data, err := json.Marshal(sign{Incarnation: c.cfg.Incarnation, At: now.Wall(), Stepped: domain.Duration(now.Stepped)})
	if err == nil {
		e := domain.NewEvent{ID: uuid.New(), Type: eventType, Data: data}
		_, err = c.cfg.Log.Append(within, StreamPrefix+c.cfg.Node, domain.AnyRevision, e)
	}
	if err != nil && ctx.Err() == nil {
		c.cfg.Logger.Warn("sign of life not written: others may take over this node's runs", "error", err)
	}
}

// Seen notes a sign of life, or that a node leaves. e is an event of a stream with [StreamPrefix].
func (c *Cluster) Seen(e *domain.Recorded) {
	var s sign
	if json.Unmarshal(e.Data, &s) != nil || s.Incarnation == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Incarnation == c.cfg.Incarnation {
		c.signs++
		c.own, c.ownSign = s.aheadOfLog(e), e.Created
		for other, l := range c.lives {
			if c.signs-l.at > signsKept {
				delete(c.lives, other) // a life that is missing here is dead
			}
		}
		return
	}
	l := c.known(s.Incarnation)
	l.at, l.left, l.buried, l.sign = c.signs, e.Type == nodeLeftType, false, e.Created
	if theirs := s.aheadOfLog(e); theirs != nil && c.own != nil {
		l.clock.heard(*theirs-*c.own, time.Duration(s.Stepped))
	}
	c.lives[s.Incarnation] = l
}

// Heard notes that an incarnation wrote to a run.
func (c *Cluster) Heard(incarnation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.known(incarnation)
	l.at, l.buried = c.signs, false
	c.lives[incarnation] = l
}

// known returns the entry of a life, and makes and numbers it if it is new. Callers hold mu.
func (c *Cluster) known(incarnation string) life {
	l := c.lives[incarnation]
	if l.first == 0 {
		c.heardOf++
		l.first = c.heardOf
	}
	return l
}

// aheadOfLog returns how far the steady clock of the sign's node was ahead of the log's clock; nil
// for a node of an earlier version, which does not say what its clock shows.
func (s *sign) aheadOfLog(e *domain.Recorded) *time.Duration {
	if s.At.IsZero() || e.Created.IsZero() {
		return nil
	}
	ahead := s.At.Add(-time.Duration(s.Stepped)).Sub(e.Created)
	return &ahead
}
