package cluster

import (
	"context"
	"time"

	"github.com/atonehq/atone/domain"
)

// sweep takes up the runs of nodes that died.
func (c *Cluster) sweep(ctx context.Context, runs Runs) {
	tick := time.NewTicker(c.Interval())
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		c.tellSkew()
		died := c.bury()
		ids := runs.Choose(func(run domain.RunID, w domain.Wake, again bool) bool {
			switch {
			case !w.Busy || w.Node == "":
				return false
			case w.Node == c.cfg.Incarnation || again:
				return died // the dead node may have ended a child run without telling its parent
			}
			since, dead := c.deadFor(w.Node)
			return dead && since >= c.Delay(run, "")
		})
		if len(ids) > 0 {
			c.cfg.Logger.Info("taking up the runs of a node that is gone", "runs", len(ids))
			c.cfg.TakeUp(ids)
		}
	}
}

// bury reports whether a node has died since the last call, and marks its death as handled.
func (c *Cluster) bury() (died bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for node, l := range c.lives {
		if !l.buried && !c.alive(node) {
			l.buried, died = true, true
			c.lives[node] = l
		}
	}
	return died
}

// deadFor returns whether an incarnation counts as dead, and about for how long.
func (c *Cluster) deadFor(incarnation string) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alive(incarnation) {
		return 0, false
	}
	l := c.lives[incarnation]
	signs := c.signs - l.at
	if !l.left {
		signs -= signsOfDeath
	}
	return time.Duration(max(signs, 0)) * c.Interval(), true
}
