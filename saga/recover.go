package saga

import (
	"context"
	"errors"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/recovery"
	"github.com/atonehq/atone/saga/machine"
)

// ownLog notes what this coordinator appends to runs.
type ownLog struct {
	Log
	own *recovery.Own
}

// Append implements [Log].
func (l ownLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	return l.own.Append(ctx, l.Log, stream, expected, events...)
}

// newRecovery gives the room of recovery what it needs.
func (c *Coordinator) newRecovery() *recovery.Recovery {
	return recovery.New(recovery.Config{
		Log: c.log, Logger: c.logger, Own: &c.own, CheckpointEvery: c.cfg.CheckpointEvery, Width: c.cfg.RecoverConcurrency,
		Shared: c.cfg.Shared, Rank: func(key domain.RunID) int { return c.cluster.Rank(key, "") }, LogFailed: c.logFailed,
		TakeUp: func(ctx context.Context, run domain.RunID, heard bool) error {
			return c.do(ctx, run, &request{recover: true, heard: heard, ctx: requestContext{actor: c.cfg.Node}})
		},
		Go: c.goBackground,
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
