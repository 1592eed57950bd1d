package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/atonehq/atone/saga"
)

// The sagas of testdata/oldlog: they are the same, plan for plan, in the program of commit c999109
// that wrote the log and in today's. How a handler behaves while the log is written is in the
// run's input; when the log is read, every handler succeeds.

type oldIn struct {
	Mode string `json:"mode"`
}

type oldOut struct {
	ID string `json:"id"`
}

// oldWorld makes the handlers of the old log's sagas and notes their calls.
type oldWorld struct {
	// writing means that handlers fail and hang as the run's mode says.
	writing bool

	mu    sync.Mutex
	calls map[string]int
}

func newOldWorld(writing bool) *oldWorld {
	return &oldWorld{writing: writing, calls: map[string]int{}}
}

var errOld = errors.New("the old world's error")

// aLongTime is a delay that no test waits for.
const aLongTime = 10 * 365 * 24 * time.Hour

// act notes a call and does what the mode asks of it: "charge:hang" makes the action charge hang.
func (w *oldWorld) act(ctx context.Context, what, mode string) error {
	w.mu.Lock()
	w.calls[saga.AttemptOf(ctx).Run.String()+" "+what]++
	w.mu.Unlock()
	if !w.writing {
		return nil
	}
	switch mode {
	case what + ":hang":
		select {} // until the process is killed
	case what + ":refused":
		return saga.Permanent(errOld)
	case what + ":retry":
		return saga.RetryAfter(2*time.Second, errOld)
	case what + ":retry-late":
		return saga.RetryAfter(aLongTime, errOld)
	case what + ":in-doubt", what + ":probe-hang":
		return saga.InDoubt(errOld)
	}
	return nil
}

// called returns how often a run's handler was called.
func (w *oldWorld) called(run fmt.Stringer, what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[run.String()+" "+what]
}

// oldSagas are the definitions, and the action that is invoked by itself.
type oldSagas struct {
	order, shapes, plan, failing *saga.Saga[oldIn, oldOut]
	waits, parent                *saga.Saga[oldIn, oldOut]
	charge                       *saga.Action[oldIn, oldOut]
	trigger                      saga.AnyTrigger
}

func (s *oldSagas) all() []saga.AnySaga {
	return []saga.AnySaga{s.order, s.shapes, s.plan, s.failing, s.waits, s.parent}
}

var oldRetry = saga.Retry{MaxAttempts: 8, Initial: time.Millisecond, Max: 10 * time.Millisecond}

func (w *oldWorld) undoable(name string) *saga.Action[oldIn, oldOut] {
	return &saga.Action[oldIn, oldOut]{Name: name, Retry: oldRetry, UndoRetry: oldRetry,
		Do: func(ctx context.Context, in oldIn) (oldOut, error) {
			return oldOut{ID: name}, w.act(ctx, name, in.Mode)
		},
		Undo: func(ctx context.Context, did saga.Did[oldIn, oldOut]) error {
			return w.act(ctx, "undo-"+name, did.Input.Mode)
		}}
}

func (w *oldWorld) sagas() *oldSagas {
	reserve, charge, fail := w.undoable("reserve"), w.undoable("charge"), w.undoable("fail")
	charge.Timeout, charge.HeartbeatTimeout = time.Hour, 30*time.Minute
	charge.Probe = func(ctx context.Context, in oldIn) (saga.Probed[oldOut], error) {
		_ = w.act(ctx, "probe-charge", in.Mode)
		if in.Mode == "charge:probe-hang" {
			if w.writing {
				select {}
			}
			return saga.Applied(oldOut{ID: "probed"}), nil
		}
		return saga.NotApplied[oldOut](), nil
	}
	fail.Do = func(ctx context.Context, in oldIn) (oldOut, error) {
		_ = w.act(ctx, "fail", in.Mode)
		return oldOut{}, saga.Permanent(errOld) // before and after
	}
	ship := &saga.Action[oldIn, oldOut]{Name: "ship", Effect: saga.Irreversible, Retry: oldRetry,
		Do: func(ctx context.Context, in oldIn) (oldOut, error) {
			return oldOut{ID: "shipped"}, w.act(ctx, "ship", in.Mode)
		}}
	notify := &saga.Action[oldIn, oldOut]{Name: "notify", Effect: saga.NoEffect, Retry: oldRetry,
		Do: func(ctx context.Context, in oldIn) (oldOut, error) {
			return oldOut{ID: "told"}, w.act(ctx, "notify", in.Mode)
		}}
	tell := &saga.Action[saga.Failed, saga.None]{Name: "tell", Effect: saga.NoEffect, Retry: oldRetry,
		Do: func(ctx context.Context, f saga.Failed) (saga.None, error) {
			var in oldIn
			if err := json.Unmarshal(f.Input, &in); err != nil {
				return saga.None{}, err
			}
			return saga.None{}, w.act(ctx, "tell", in.Mode)
		}}
	s := &oldSagas{charge: charge}
	s.order = saga.Define("old-order", 1, func(f *saga.Flow, in saga.Ref[oldIn]) saga.Ref[oldOut] {
		saga.Do(f, reserve, in.In)
		paid := saga.Do(f, charge, in.In)
		saga.Pivot(f)
		saga.Do(f, ship, in.In)
		return paid
	}, saga.OnFailure(tell))
	s.failing = saga.Define("old-failing", 1, func(f *saga.Flow, in saga.Ref[oldIn]) saga.Ref[oldOut] {
		saga.Do(f, reserve, in.In)
		saga.Do(f, charge, in.In)
		return saga.Do(f, fail, in.In)
	}, saga.OnFailure(tell))
	s.shapes = w.shapes(reserve, charge, notify)
	s.plan = w.plan(reserve)
	s.waits = oldWaits(reserve)
	s.parent = saga.Define("old-parent", 1, func(f *saga.Flow, in saga.Ref[oldIn]) saga.Ref[oldOut] {
		saga.Do(f, reserve, in.In)
		out := saga.Child(f, s.failing, in.In, saga.Name("failing"), saga.OnFail(saga.Ignore))
		saga.If(f, func(v saga.Scope) bool { return strings.HasPrefix(in.In(v).Mode, "waits") }, func(f *saga.Flow) {
			saga.Child(f, s.waits, in.In, saga.Name("waiting"))
		}, func(f *saga.Flow) {
			saga.Child(f, s.order, in.In, saga.Name("ordering"))
		})
		return out
	})
	s.trigger = &saga.Trigger[oldIn, oldOut]{Type: "old.ordered", Saga: s.order}
	return s
}

// shapes has every composite step.
func (w *oldWorld) shapes(reserve, charge, notify *saga.Action[oldIn, oldOut]) *saga.Saga[oldIn, oldOut] {
	return saga.Define("old-shapes", 1, func(f *saga.Flow, in saga.Ref[oldIn]) saga.Ref[oldOut] {
		saga.Parallel(f,
			func(f *saga.Flow) { saga.Do(f, reserve, in.In, saga.Name("left")) },
			func(f *saga.Flow) { saga.Do(f, notify, in.In, saga.OnFail(saga.Ignore)) },
		)
		items := func(v saga.Scope) []oldIn {
			return []oldIn{{Mode: "ok"}, in.In(v), {Mode: "ok"}, {Mode: "reserve:refused"}}
		}
		saga.Each(f, "each", items, func(f *saga.Flow, item saga.Ref[oldIn]) saga.Ref[oldOut] {
			saga.Do(f, reserve, item.In, saga.Name("first"))
			return saga.Do(f, charge, item.In, saga.WithRetry(saga.Retry{MaxAttempts: 3}))
		}, saga.Concurrency(2), saga.Tolerate(2))
		n := saga.Compute(f, "count", func(v saga.Scope) int { return len(in.In(v).Mode) })
		saga.If(f, func(v saga.Scope) bool { return n.In(v) > 0 }, func(f *saga.Flow) {
			saga.Do(f, reserve, in.In, saga.Name("then"), saga.WithTimeout(time.Minute))
		}, nil)
		saga.Switch(f, func(saga.Scope) string { return "x" },
			saga.When("x", func(f *saga.Flow) { saga.Do(f, reserve, in.In, saga.Name("case-x")) }),
			saga.Otherwise(func(f *saga.Flow) { saga.Do(f, reserve, in.In, saga.Name("other")) }))
		return saga.Choose(f, "choice", func(saga.Scope) string { return "y" },
			saga.On("x", func(f *saga.Flow) saga.Ref[oldOut] { return saga.Do(f, reserve, in.In, saga.Name("choice-x")) }),
			saga.Else(func(f *saga.Flow) saga.Ref[oldOut] { return saga.Do(f, charge, in.In, saga.Name("choice-else")) }))
	})
}

// plan has three rounds, planned from their number alone.
func (w *oldWorld) plan(reserve *saga.Action[oldIn, oldOut]) *saga.Saga[oldIn, oldOut] {
	planner := &saga.Action[saga.PlannerIn[oldIn], saga.Steps[oldOut]]{Name: "planner", Effect: saga.NoEffect, Retry: oldRetry,
		Do: func(ctx context.Context, in saga.PlannerIn[oldIn]) (saga.Steps[oldOut], error) {
			if in.Round == 3 {
				if err := w.act(ctx, "planner", in.Input.Mode); err != nil {
					return saga.Steps[oldOut]{}, err
				}
			}
			if in.Round > 3 {
				return saga.Steps[oldOut]{Done: true, Output: oldOut{ID: "planned"}}, nil
			}
			mode := oldIn{Mode: "ok"}
			if in.Round == 2 {
				mode = in.Input
			}
			return saga.Steps[oldOut]{Parallel: in.Round == 2, Do: []saga.NextStep{
				saga.Next(reserve, oldIn{Mode: "ok"}),
				{Name: "second", Action: "reserve", Input: mode},
			}}, nil
		}}
	return saga.Define("old-plan", 1, func(f *saga.Flow, in saga.Ref[oldIn]) saga.Ref[oldOut] {
		return saga.Plan(f, "rounds", planner, in.In, saga.Uses(reserve), saga.MaxRounds(10))
	})
}

// oldWaits sleeps, waits for a signal and for an event.
func oldWaits(reserve *saga.Action[oldIn, oldOut]) *saga.Saga[oldIn, oldOut] {
	return saga.Define("old-waits", 1, func(f *saga.Flow, in saga.Ref[oldIn]) saga.Ref[oldOut] {
		saga.Do(f, reserve, in.In)
		saga.Sleep(f, func(v saga.Scope) time.Duration {
			if in.In(v).Mode == "sleep" {
				return aLongTime
			}
			return time.Millisecond
		})
		saga.SleepUntil(f, func(saga.Scope) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) })
		saga.Await[string](f, "go", saga.Within(aLongTime))
		saga.Await[string](f, "maybe", saga.Within(time.Millisecond), saga.DefaultTo("no"))
		return saga.AwaitEvent[oldOut](f, "old.paid", func(v saga.Scope) string { return in.In(v).Mode }, saga.Name("paid"))
	})
}
