package saga_test

import (
	"context"
	"time"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

// job is the input and output of every saga of the kill test.
type job = killtest.Job

// killWorld is the sagas of the kill test, over a ledger.
type killWorld struct {
	ledger *killtest.Ledger
	sagas  []*saga.Saga[job, job]
	all    []saga.AnySaga
	// mended says that a person has seen to what made undos fail for good.
	mended bool
	// late says that deaf handlers are.
	late bool
}

// tired gives up soon, and leaves the doubt.
var tired = saga.Retry{MaxAttempts: 4, Initial: time.Millisecond, Max: 5 * time.Millisecond}

// newKillWorld returns the world of a process that is to be killed, or of one that finishes what
// others began.
func newKillWorld(l *killtest.Ledger, end ending) *killWorld {
	w := &killWorld{ledger: l, mended: end != killed, late: end == late}
	a, b, c, x := w.act("a"), w.act("b"), w.act("c"), w.refusing("x")
	p, stubborn := w.probed(w.act("probed")), w.stubborn("stubborn")
	letter, post := w.probed(irreversible(w.act("letter"))), w.cleanly(irreversible(w.act("post")))
	w.sagas = killtest.Sagas(killtest.Acts{A: a, B: b, C: c, Probed: p, Refusing: x}, 20*time.Millisecond)
	define := func(name string, build func(f *saga.Flow, in saga.Ref[job])) {
		w.sagas = append(w.sagas, killtest.Define(name, build))
	}
	define("each", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Each(f, "each", func(v saga.Scope) []job {
			return []job{{N: 1}, {N: 2, Fail: true}, {N: 3}, {N: 4, Fail: in.In(v).Fail}}
		},
			func(f *saga.Flow, item saga.Ref[job]) saga.Ref[job] {
				saga.Do(f, a, item.In)
				return saga.Do(f, x, item.In)
			}, saga.Tolerate(1), saga.Concurrency(2))
	})
	define("letters", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, stubborn, in.In)
		saga.Do(f, w.cleanly(w.act("local")), in.In)
		saga.Do(f, letter, in.In, saga.OnFail(saga.Backward))
		saga.Do(f, b, in.In, saga.OnFail(saga.Forward))
	})
	define("posts", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Do(f, x, in.In)
		saga.Do(f, post, in.In, saga.OnFail(saga.Backward))
	})
	deaf := w.deaf("deaf")
	define("late", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, stubborn, in.In)
		saga.Do(f, deaf, in.In)
	})
	define("pivots", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Do(f, x, in.In)
		saga.Pivot(f)
		saga.Do(f, b, in.In)
	})
	planner := &saga.Action[saga.PlannerIn[job], saga.Steps[job]]{Name: "planner", Effect: saga.NoEffect, Retry: killtest.Untiring,
		Do: func(_ context.Context, in saga.PlannerIn[job]) (saga.Steps[job], error) {
			switch in.Round {
			case 1:
				return saga.Steps[job]{Do: []saga.NextStep{saga.Next(a, in.Input), saga.Next(b, in.Input)}}, nil
			case 2:
				return saga.Steps[job]{Do: []saga.NextStep{saga.Next(c, in.Input), saga.Next(x, in.Input)}, Parallel: true}, nil
			}
			return saga.Steps[job]{Done: true, Output: in.Input}, nil
		}}
	define("plans", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Plan(f, "agent", planner, in.In, saga.Uses(a, b, c, x))
	})
	for _, s := range w.sagas {
		w.all = append(w.all, s)
	}
	return w
}
