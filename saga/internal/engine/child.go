package engine

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/machine"
)

// children starts child runs, undoes them and tells their parents how they ended. It reaches runs
// only through the functions that it is given: it does not know how a run moves.
type children struct {
	cfg    *Config
	places *places

	start  func(ctx context.Context, d *definition.Definition, input json.RawMessage, fits bool, s Start) (domain.RunID, error)
	submit func(ctx context.Context, id domain.RunID, in machine.Intent, by By) error
	look   func(ctx context.Context, id domain.RunID, read func(*machine.State)) error
	// cannotStart tells a parent why a child can't be started here.
	cannotStart func(ctx context.Context, ch childRef, reason string) error
}

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
	// heard means that the child is looked after because another node said that the parent is
	// blocked.
	heard bool
}

func (a *actor) childOf(path string) childRef {
	st := a.State.Step(path)
	labels := a.State.Start.Labels
	if st.Node.Unlabelled {
		labels = nil
	}
	return childRef{parent: a.id, step: path, labels: labels, run: st.Child, saga: st.Node.Saga, version: st.Node.Version, input: st.Input,
		correlation: a.State.Correlation, trace: a.State.Trace, root: a.root()}
}

// begin makes sure that a child run exists, and tells its parent if it has ended already. It may be
// called any number of times.
func (c *children) begin(ch childRef) {
	c.persist("start child", ch, func(ctx context.Context) error {
		d, err := c.cfg.Registry.Saga(ch.saga, ch.version)
		if err != nil {
			// A program that has the code may have started it.
			if err = c.report(ctx, ch); errors.Is(err, domain.ErrNotFound) {
				err = c.cannotStart(ctx, ch, "no program here has it: deploy one that registers it")
			}
			return err
		}
		_, err = c.start(ctx, d, ch.input, false, ch.options(nil))
		if errors.Is(err, domain.ErrPlanChanged) {
			return c.cannotStart(ctx, ch, domain.ErrPlanChanged.Error())
		}
		if errors.Is(err, domain.ErrBadInput) || errors.Is(err, domain.ErrKeyConflict) {
			return c.tell(ctx, ch, machine.ChildRefused{Step: ch.step, Reason: err.Error()})
		}
		if err != nil {
			return err
		}
		return c.report(ctx, ch)
	})
}

// turnBack tells a child run to undo itself.
func (c *children) turnBack(ch childRef, cause domain.Failure) {
	cause.Kind = domain.FailureParent
	back := machine.TurnBack{Cause: cause}
	c.persist("undo child", ch, func(ctx context.Context) error {
		err := c.submit(ctx, ch.run, back, By{})
		if errors.Is(err, domain.ErrNotFound) {
			// The child's start may still be on its way. Start the child turned back, so that no
			// later start runs it.
			if err = c.beginTurnedBack(ctx, ch, back); err == nil {
				err = c.submit(ctx, ch.run, back, By{})
			}
		}
		switch {
		case errors.Is(err, domain.ErrBadInput): // the child can never be started
			return c.tell(ctx, ch, machine.ChildSeen{Step: ch.step, Run: ch.run, State: domain.RunIsCancelled})
		case errors.Is(err, machine.ErrPastPivot):
			reason := "child run " + ch.run.String() + " can't be undone: " + err.Error()
			return c.tell(ctx, ch, machine.ChildRefused{Step: ch.step, Reason: reason})
		case err != nil && !errors.Is(err, machine.ErrEnded):
			return err
		}
		return c.report(ctx, ch)
	})
}

// beginTurnedBack starts a child run and turns it back in the same append. If it has started
// meanwhile, nothing changes.
func (c *children) beginTurnedBack(ctx context.Context, ch childRef, back machine.TurnBack) error {
	d, err := c.cfg.Registry.Saga(ch.saga, ch.version)
	if err != nil {
		return err
	}
	_, err = c.start(ctx, d, ch.input, false, ch.options(back))
	return err
}

// options returns how the child is started. then, if not nil, is decided with the start.
func (ch *childRef) options(then machine.Intent) Start {
	parent := &domain.ParentRef{Run: ch.parent, Step: ch.step}
	if ch.root != ch.parent {
		parent.Root = ch.root
	}
	return Start{ID: ch.run, Parent: parent, Labels: ch.labels, By: By{Correlation: ch.correlation, Trace: ch.trace}, Then: then}
}

// report tells the parent how the child ended, if it has.
func (c *children) report(ctx context.Context, ch childRef) error {
	seen := machine.ChildSeen{Step: ch.step, Run: ch.run}
	err := c.look(ctx, ch.run, func(s *machine.State) { seen.State, seen.Output, seen.Cause = s.Status(), s.Output, s.Cause })
	if err != nil || !seen.State.Ended() {
		return err
	}
	return c.tell(ctx, ch, seen)
}

// tell makes the parent decide on news of the child.
func (c *children) tell(ctx context.Context, ch childRef, news machine.Intent) error {
	return c.submit(ctx, ch.parent, news, By{})
}

// ended tells the run's parent, if it has one, that the run ended.
func (c *children) ended(a *actor) {
	p := a.State.Start.Parent
	if p == nil {
		return
	}
	seen := machine.ChildSeen{Step: p.Step, Run: a.id, State: a.State.End, Output: a.State.Output, Cause: a.State.Cause, PastPivot: a.State.PastPivot}
	ch := childRef{parent: p.Run, step: p.Step, run: a.id, root: a.root()}
	c.persist("report to parent", ch, func(ctx context.Context) error {
		err := c.tell(ctx, ch, seen)
		if IsRefusal(err) || errors.Is(err, domain.ErrNotFound) {
			return nil
		}
		return err
	})
}

// persist calls f in the background until it succeeds or the coordinator stops; the next start
// derives again what f was to do. The family holds its place until f has answered once.
func (c *children) persist(what string, ch childRef, f func(context.Context) error) {
	c.places.hold(ch.root)
	giveBack := sync.OnceFunc(func() { c.places.giveBack(ch.root) })
	if !c.cfg.Go(func(ctx context.Context) {
		defer giveBack()
		_ = again.Until(ctx, 20*time.Millisecond, 5*time.Second, func() error {
			defer giveBack()
			return f(ctx)
		}, func(err error, _ int, in time.Duration) {
			c.cfg.Logger.Warn(what+" failed, trying again", "parent", ch.parent, "step", ch.step, "child", ch.run, "in", in, "error", err)
		})
	}) {
		giveBack()
	}
}

// unstartable says why a child run can't be started here.
type unstartable struct{ step, reason string }

// note keeps why a child run can't be started here.
func (a *actor) note(u *unstartable) {
	if a.unstartable == nil {
		a.unstartable = make(map[string]string)
	}
	a.unstartable[u.step] = u.reason
}

// IsRefusal reports whether the error says that an intent does not fit the run's state.
func IsRefusal(err error) bool {
	for _, r := range [...]error{machine.ErrEnded, machine.ErrPastPivot, machine.ErrTurnedBack, machine.ErrNoStep, machine.ErrNoAttempt, machine.ErrNotStuck, machine.ErrStale, machine.ErrBadOutput} {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}
