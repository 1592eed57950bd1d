package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// childRef is what is needed to start, watch and undo a child run.
type childRef struct {
	parent      domain.RunID
	step        string
	run         domain.RunID
	saga        string
	version     int
	input       json.RawMessage
	labels      map[string]string
	correlation string
	trace       string
	root        domain.RunID // of the family
	// heard means that the child is looked after because another node said that the parent is blocked.
	heard bool
}

// unstartable says why a child run can't be started here.
type unstartable struct{ step, reason string }

func (a *actor) childOf(path string) childRef {
	st := a.state.Step(path)
	labels := a.state.Start.Labels
	if st.Node.Unlabelled {
		labels = nil
	}
	return childRef{parent: a.id, step: path, labels: labels, run: st.Child, saga: st.Node.Saga, version: st.Node.Version, input: st.Input,
		correlation: a.state.Correlation, trace: a.state.Trace, root: a.root()}
}

// startChild sees to it that a child run exists, and that its parent hears of its end if it has
// ended already. It may be called any number of times.
func (c *Coordinator) startChild(ch childRef) {
	c.persist("start child", ch, func(ctx context.Context) error {
		d, err := c.registry.Saga(ch.saga, ch.version)
		if err != nil {
			if err = c.reportChild(ctx, ch); errors.Is(err, ErrNotFound) { // else it was started where its code is
				err = c.cannotStart(ctx, ch, "no program here has it: deploy one that registers it")
			}
			return err
		}
		_, err = c.start(ctx, d, ch.input, false, []StartOption{ch.options})
		if errors.Is(err, ErrPlanChanged) {
			return c.cannotStart(ctx, ch, ErrPlanChanged.Error())
		}
		if errors.Is(err, ErrBadInput) || errors.Is(err, ErrKeyConflict) {
			return c.submit(ctx, ch.parent, machine.ChildRefused{Step: ch.step, Reason: err.Error()})
		}
		if err != nil {
			return err
		}
		return c.reportChild(ctx, ch)
	})
}

// cannotStart has the parent of a child run know that it can't be started here.
func (c *Coordinator) cannotStart(ctx context.Context, ch childRef, reason string) error {
	reason = fmt.Sprintf("child saga %s v%d: %s", ch.saga, ch.version, reason)
	return c.do(ctx, ch.parent, &request{unstartable: &unstartable{ch.step, reason}, heard: ch.heard, ctx: requestContext{actor: c.cfg.Node}})
}

// turnChildBack tells a child run to undo itself.
func (c *Coordinator) turnChildBack(ch childRef, cause domain.Failure) {
	cause.Kind = domain.FailureParent
	c.persist("undo child", ch, func(ctx context.Context) error {
		err := c.submit(ctx, ch.run, machine.TurnBack{Cause: cause})
		if errors.Is(err, ErrNotFound) {
			// Its start may still be on the way: it is started turned back, so that no later start runs it.
			if err = c.startTurnedBack(ctx, ch, cause); err == nil {
				err = c.submit(ctx, ch.run, machine.TurnBack{Cause: cause})
			}
		}
		switch {
		case errors.Is(err, ErrBadInput):
			return c.submit(ctx, ch.parent, machine.ChildSeen{Step: ch.step, Run: ch.run, State: domain.RunIsCancelled}) // it never can be started
		case errors.Is(err, ErrPastPivot):
			return c.submit(ctx, ch.parent, machine.ChildRefused{Step: ch.step, Reason: "child run " + ch.run.String() + " can't be undone: " + err.Error()})
		case err != nil && !errors.Is(err, ErrEnded):
			return err
		}
		return c.reportChild(ctx, ch)
	})
}

// startTurnedBack starts a child run and turns it back in the same append. If it has started
// meanwhile, nothing changes.
func (c *Coordinator) startTurnedBack(ctx context.Context, ch childRef, cause domain.Failure) error {
	d, err := c.registry.Saga(ch.saga, ch.version)
	if err != nil {
		return err
	}
	_, err = c.start(ctx, d, ch.input, false, []StartOption{ch.options, func(o *startOptions) { o.then = machine.TurnBack{Cause: cause} }})
	return err
}

// options are those with which the child is started.
func (ch childRef) options(o *startOptions) {
	o.id, o.parent = ch.run, &domain.ParentRef{Run: ch.parent, Step: ch.step}
	if ch.root != ch.parent {
		o.parent.Root = ch.root
	}
	o.correlation, o.trace, o.labels = ch.correlation, ch.trace, ch.labels
}

// reportChild tells the parent how the child ended, if it has.
func (c *Coordinator) reportChild(ctx context.Context, ch childRef) error {
	v, err := c.Describe(ctx, ch.run)
	if err != nil || !v.State.Ended() {
		return err
	}
	return c.submit(ctx, ch.parent, machine.ChildSeen{Step: ch.step, Run: ch.run, State: v.State, Output: v.Output, Cause: v.Cause})
}

// tellParent reports the end of a run that is somebody's child.
func (a *actor) tellParent() {
	p := a.state.Start.Parent
	if p == nil {
		return
	}
	in := machine.ChildSeen{Step: p.Step, Run: a.id, State: a.state.End, Output: a.state.Output, Cause: a.state.Cause, PastPivot: a.state.PastPivot}
	a.c.persist("report to parent", childRef{parent: p.Run, step: p.Step, run: a.id, root: a.root()}, func(ctx context.Context) error {
		err := a.c.submit(ctx, p.Run, in)
		if isRefusal(err) || errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
}

// persist calls f in the background until it succeeds or the coordinator stops; what it was to do
// is derived again at the next start. Until the first answer the family has something owed, and holds its place.
func (c *Coordinator) persist(what string, ch childRef, f func(context.Context) error) {
	c.places.hold(ch.root)
	leave := sync.OnceFunc(func() { c.places.release(ch.root) })
	if !c.goBackground(func(ctx context.Context) {
		defer leave()
		for delay := 20 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
			err := f(ctx)
			leave()
			if err == nil || ctx.Err() != nil {
				return
			}
			c.logger.Warn(what+" failed, trying again", "parent", ch.parent, "step", ch.step, "child", ch.run, "in", delay, "error", err)
			select {
			case <-time.After(delay):
			case <-ctx.Done():
				return
			}
		}
	}) {
		leave()
	}
}

// note keeps why a child run can't be started here.
func (a *actor) note(u *unstartable) {
	if a.unstartable == nil {
		a.unstartable = make(map[string]string)
	}
	a.unstartable[u.step] = u.reason
}
