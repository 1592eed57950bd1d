package saga

import (
	"context"

	"github.com/atonehq/atone/domain"
)

// alive reports whether the coordinator that started an attempt may still be running it. With a
// broker any worker may be, and the attempt's deadline decides. With an in-process queue there is no
// worker but this one, unless the log is shared.
func (c *Coordinator) alive(incarnation string) bool {
	if c.cfg.Publisher != nil {
		return true
	}
	return c.cfg.Shared && c.cluster.Alive(incarnation)
}

// elsewhere reports whether an attempt, or a run, is in the hands of another node that is alive. That
// node gives its attempts up by its own clock.
func (c *Coordinator) elsewhere(node string) bool {
	return c.cfg.Shared && node != "" && node != c.incarnation && c.cluster.Alive(node)
}

// heard is told of the events in runs' streams that are newer than this coordinator's start, where
// the log is shared. It brings up to date what this node has of the run in memory, so that those who
// wait for its end are told, and attempts that are no longer wanted are cancelled.
func (c *Coordinator) heard(run domain.RunID, e *domain.Recorded) {
	c.own.Heard()
	a, active := c.runs.peek(run)
	if a != nil {
		a.written.Store(int64(e.Revision)) // one reader, in the stream's order
	}
	w := domain.WakeOf(e.Metadata)
	if w.Node == "" {
		c.heardOfBlock(run, e)
		return // any other event without a node is in the middle of an append
	}
	if w.Node == c.incarnation {
		if w.Over() { // an older event of another node's may have come in between
			c.wakeups.SetAt(run, int64(e.Revision), w, c.clock.Read().Stepped, true)
		}
		return
	}
	c.cluster.Heard(w.Node)
	c.wakeups.SetAt(run, int64(e.Revision), w, c.cluster.AheadOfSteady(w.Node), true)
	if a != nil && (active || w.State.Ended() || w.State == domain.RunIsStuck) {
		c.goBackground(func(ctx context.Context) {
			_ = c.do(ctx, run, &request{ctx: requestContext{actor: c.cfg.Node}}) // a reader of the run will find out as well
		})
	}
}

// heardOfBlock has a run looked at that another node can't go on with: this one may have what that
// lacks. If not, the run stays known to be blocked; that this node can't help either is not written,
// or the nodes would answer each other for ever.
func (c *Coordinator) heardOfBlock(run domain.RunID, e *domain.Recorded) {
	if e.Type != (*domain.RunBlocked)(nil).WireName() {
		return
	}
	if m, err := domain.DecodeMeta(e.Metadata); err == nil && m.Actor == c.cfg.Node {
		return
	}
	c.goBackground(func(ctx context.Context) { c.recovery.TakeUpOne(ctx, run, true) })
}
