package saga_test

import (
	"context"
	"time"

	"github.com/atonehq/atone/saga"
)

// job is the input and output of every saga of the kill test. Whether its step x is refused is decided by it alone,
// so that every attempt ends alike. Weight is 0, or what can't be recorded.
type job struct {
	N      int
	Fail   bool
	Weight float64
}

// killWorld is the sagas of the kill test, over a ledger.
type killWorld struct {
	ledger *ledger
	sagas  []*saga.Saga[job, job]
	all    []saga.AnySaga
	// mended says that a person has seen to what made undos fail for good.
	mended bool
	// late says that deaf handlers are.
	late bool
}

// untiring retries for ever: kills use up attempts. tired gives up soon, and leaves the doubt.
var (
	untiring = saga.Retry{MaxAttempts: saga.Unlimited, Initial: time.Millisecond, Max: 5 * time.Millisecond}
	tired    = saga.Retry{MaxAttempts: 4, Initial: time.Millisecond, Max: 5 * time.Millisecond}
)

// newKillWorld returns the world of a process that is to be killed, or of one that finishes what others began.
func newKillWorld(l *ledger, end ending) *killWorld {
	w := &killWorld{ledger: l, mended: end != killed, late: end == late}
	a, b, c, x := w.act("a"), w.act("b"), w.act("c"), w.refusing("x")
	p, stubborn := w.probed(w.act("probed")), w.stubborn("stubborn")
	letter, post := w.probed(irreversible(w.act("letter"))), w.cleanly(irreversible(w.act("post")))
	define := func(name string, build func(f *saga.Flow, in saga.Ref[job])) *saga.Saga[job, job] {
		s := saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[job]) saga.Ref[job] {
			build(f, in)
			return saga.Return(f, func(v saga.Scope) job { return in.In(v) })
		})
		w.sagas, w.all = append(w.sagas, s), append(w.all, s)
		return s
	}
	linear := define("linear", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Do(f, b, in.In)
		saga.Do(f, p, in.In)
		saga.Do(f, x, in.In)
	})
	define("parallel", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Parallel(f,
			func(f *saga.Flow) { saga.Do(f, b, in.In); saga.Do(f, c, in.In) },
			func(f *saga.Flow) { saga.Do(f, p, in.In) },
			func(f *saga.Flow) { saga.Do(f, x, in.In) })
	})
	define("each", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Each(f, "each", func(v saga.Scope) []job {
			return []job{{N: 1}, {N: 2, Fail: true}, {N: 3}, {N: 4, Fail: in.In(v).Fail}}
		},
			func(f *saga.Flow, item saga.Ref[job]) saga.Ref[job] {
				saga.Do(f, a, item.In)
				return saga.Do(f, x, item.In)
			}, saga.Tolerate(1), saga.Concurrency(2))
	})
	define("sleeps", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Sleep(f, 20*time.Millisecond)
		saga.Do(f, x, in.In)
	})
	define("awaits", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Await[job](f, "go", saga.Within(300*time.Millisecond), saga.DefaultTo(job{}))
		saga.Do(f, x, in.In)
	})
	define("parent", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Child(f, linear, func(v saga.Scope) job { return job{N: in.In(v).N} })
		saga.Do(f, x, in.In)
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
	planner := &saga.Action[saga.PlannerIn[job], saga.Steps[job]]{Name: "planner", Effect: saga.NoEffect, Retry: untiring,
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
	return w
}
