package saga

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/timers"
	"github.com/atonehq/atone/saga/machine"
)

// arm arms the timers of the unfinished runs and returns those that owe something. It is done before anybody is
// let in, whose word would be newer than the list's.
func (c *Coordinator) arm(u *unfinished) (owed []domain.RunID) {
	for id, w := range u.runs {
		if w.Busy && !c.elsewhere(w.Node) {
			w.Due = time.Time{}
			owed = append(owed, id)
		}
		c.wakeups.Set(id, w, true)
	}
	return owed
}

// takeUpAll goes on with runs, a few at once. Each is loaded, gets on, and may be evicted again: memory
// does not grow with their number.
func (c *Coordinator) takeUpAll(ids []domain.RunID) {
	next := make(chan domain.RunID)
	var all sync.WaitGroup
	for range c.cfg.RecoverConcurrency {
		all.Add(1)
		go func() {
			defer all.Done()
			for id := range next {
				c.takeUp(id)
			}
		}()
	}
	for _, id := range ids {
		select {
		case next <- id:
		case <-c.life.Done():
		}
	}
	close(next)
	all.Wait()
}

// takeUp goes on with a run that was under way when its coordinator died. If it can't, it is tried again
// later: nobody else would find out that its attempts are lost.
func (c *Coordinator) takeUp(id domain.RunID) {
	c.takeUpAs(id, &request{recover: true, ctx: requestContext{actor: c.cfg.Node}})
}

// takeUpAs is takeUp with the request to make.
func (c *Coordinator) takeUpAs(id domain.RunID, req *request) {
	err := c.do(c.life, id, req)
	if err == nil || c.life.Err() != nil || errors.Is(err, ErrUnreadable) {
		return
	}
	c.logger.Error("run can't be taken up: it waits until it can", "run", id, "in", 10*timers.OverdueDelay, "error", err)
	if errors.Is(err, ErrNotFound) {
		return
	}
	c.goBackground(func(ctx context.Context) {
		select {
		case <-time.After(10 * timers.OverdueDelay):
			c.takeUp(id)
		case <-ctx.Done():
		}
	})
}

// recoverRun marks the attempts that died with another coordinator as lost, and takes care of the
// child runs.
func (t *turnState) recoverRun(heard bool) {
	a := t.a
	var lost []machine.Lost
	a.state.InFlight(func(f machine.Attempt) {
		if f.Node != a.c.incarnation && !a.c.alive(f.Node) {
			lost = append(lost, machine.Lost{Step: f.Step.Path, Direction: f.Direction, Attempt: f.Number,
				Reason: "its worker was gone when the run was taken up"})
		}
	})
	for _, l := range lost {
		if err := t.decide(l); err != nil && !errors.Is(err, machine.ErrStale) {
			a.c.logger.Error("lost attempt not recorded", "run", a.id, "step", l.Step, "error", err)
		}
	}
	a.state.Children(func(st *machine.Step, back bool) {
		if back {
			a.c.turnChildBack(a.childOf(st.Path), domain.Failure{Message: "the parent run turned back"})
		} else {
			ch := a.childOf(st.Path)
			ch.heard = heard
			a.c.startChild(ch)
		}
	})
	if a.state.End != "" {
		a.tellParent()
	}
}
