package saga_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/sagatest/logtest"
)

var (
	stressRounds = flag.Int("stress", 6, "how many worlds TestEverythingAtOnce goes through")
	stressSeed   = flag.Uint64("stressseed", 0, "the seed of TestEverythingAtOnce's first world; 0 picks one")
)

// storm is a world in which everything happens at once: handlers that fail, hang, are deaf and
// late, people who cancel, pause, retry and abandon, a log that fails and forgets its answers,
// coordinators that stop and come back, and hardly any memory, places and slots.
type storm struct {
	*rig
	seed uint64
	calm atomic.Bool
	// effects are those that exist, by run and step.
	effects map[string]bool
}

// failingReads is a log whose reads fail now and then, while the storm lasts.
type failingReads struct {
	domain.Log
	w *storm
	n atomic.Uint64
}

func (f *failingReads) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	if n := f.n.Add(1); f.w.faults.Load() && f.w.dice("read", n).IntN(10) == 0 {
		return func(yield func(domain.Recorded, error) bool) { yield(domain.Recorded{}, logtest.ErrInjected) }
	}
	return f.Log.ReadStream(ctx, stream, from)
}

// dice returns the storm's dice for a purpose: the same seed gives the same throws.
func (w *storm) dice(purpose ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, purpose...)
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// strike decides how a call of a handler goes: whether its effect takes place, and what it returns.
func (w *storm) strike(ctx context.Context, take func()) error {
	a := saga.AttemptOf(ctx)
	d := w.dice(a.Step, a.Direction, a.Number, a.Run)
	if w.calm.Load() {
		take()
		return nil
	}
	time.Sleep(time.Duration(d.IntN(2000)) * time.Millisecond)
	switch d.IntN(12) {
	case 0:
		return errModel
	case 1:
		if a.Direction == domain.Do || d.IntN(4) == 0 {
			return saga.Permanent(errModel)
		}
	case 2:
		take()
		return saga.InDoubt(errModel)
	case 3:
		return saga.InDoubt(errModel)
	case 4:
		take()
		panic("a storm")
	case 5:
		<-ctx.Done() // hangs
		if d.IntN(2) == 0 {
			take()
		}
		return ctx.Err()
	case 6:
		time.Sleep(time.Duration(d.IntN(60)) * time.Second) // deaf
	}
	take()
	return nil
}

func (w *storm) act(name string) *saga.Action[string, string] {
	retry := saga.Retry{MaxAttempts: 3, Initial: time.Second, Max: 5 * time.Second}
	mark := func(ctx context.Context, exists bool) func() {
		return func() {
			a := saga.AttemptOf(ctx)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.effects[a.Run.String()+" "+a.Step] = exists
		}
	}
	return &saga.Action[string, string]{Name: name, Retry: retry, UndoRetry: retry, Timeout: 10 * time.Second, UndoTimeout: 10 * time.Second, Concurrency: 2,
		Do: func(ctx context.Context, in string) (string, error) {
			return in, w.strike(ctx, mark(ctx, true))
		},
		Undo: func(ctx context.Context, _ saga.Did[string, string]) error { return w.strike(ctx, mark(ctx, false)) },
		OnFailure: &saga.Action[saga.Failed, saga.None]{Name: name + "-failed", Effect: saga.NoEffect, Retry: retry, Timeout: 10 * time.Second,
			Do: func(ctx context.Context, _ saga.Failed) (saga.None, error) {
				return saga.None{}, w.strike(ctx, func() {})
			}}}
}

// sagas has one of each kind of step, nested in one another.
func (w *storm) sagas() (all []*saga.Saga[string, string]) {
	a, b, c := w.act("a"), w.act("b"), w.act("c")
	a.HeartbeatTimeout = 5 * time.Second
	b.Rate, b.Burst = 5, 1
	define := func(name string, f func(f *saga.Flow, in saga.Ref[string])) *saga.Saga[string, string] {
		s := saga.Define(name, 1, func(fl *saga.Flow, in saga.Ref[string]) saga.Ref[string] { f(fl, in); return in })
		require.NoError(w.t, s.Err())
		all = append(all, s)
		return s
	}
	define("chain", func(f *saga.Flow, in saga.Ref[string]) {
		x := saga.Do(f, a, in.In)
		y := saga.Do(f, b, x.In)
		saga.Do(f, c, y.In)
	})
	inner := define("parallel", func(f *saga.Flow, in saga.Ref[string]) {
		saga.Do(f, a, in.In)
		saga.Parallel(f, func(f *saga.Flow) { saga.Do(f, b, in.In) }, func(f *saga.Flow) { saga.Do(f, c, in.In, saga.OnFail(saga.Ignore)) },
			func(f *saga.Flow) { saga.Await[string](f, "go", saga.Within(time.Minute), saga.DefaultTo("")) })
	})
	middle := define("items", func(f *saga.Flow, in saga.Ref[string]) {
		saga.Each(f, "each", func(saga.Scope) []string { return []string{"1", "2", "3", "4"} }, func(f *saga.Flow, item saga.Ref[string]) saga.Ref[string] {
			x := saga.Do(f, a, item.In)
			return saga.Do(f, b, x.In)
		}, saga.Tolerate(1), saga.Concurrency(2))
	})
	define("family", func(f *saga.Flow, in saga.Ref[string]) {
		saga.Do(f, c, in.In)
		saga.Parallel(f, func(f *saga.Flow) { saga.Child(f, inner, in.In) }, func(f *saga.Flow) { saga.Child(f, middle, in.In) })
		saga.Sleep(f, 3*time.Second)
		saga.Do(f, b, in.In)
	})
	planner := &saga.Action[saga.PlannerIn[string], saga.Steps[string]]{Name: "planner", Effect: saga.NoEffect, Timeout: 10 * time.Second, Concurrency: 2,
		Retry: saga.Retry{MaxAttempts: 3, Initial: time.Second, Max: 5 * time.Second},
		Do: func(ctx context.Context, in saga.PlannerIn[string]) (saga.Steps[string], error) {
			next := saga.Steps[string]{Done: in.Round > 2, Output: in.Input}
			if !next.Done {
				next.Do, next.Parallel = []saga.NextStep{saga.Next(a, "x"), saga.Next(b, "y")}, in.Round == 2
			}
			return next, w.strike(ctx, func() {})
		}}
	define("plans", func(f *saga.Flow, in saga.Ref[string]) {
		saga.Plan(f, "agent", planner, in.In, saga.Uses(a, b))
		saga.Do(f, c, in.In)
	})
	define("pivots", func(f *saga.Flow, in saga.Ref[string]) {
		saga.Do(f, a, in.In)
		saga.Pivot(f)
		saga.Do(f, c, in.In)
	})
	return all
}

// people do something to a run, more or less sensible.
func (w *storm) people(c *saga.Coordinator, id domain.RunID, n int) {
	d := w.dice("people", n)
	for range 4 {
		time.Sleep(time.Duration(d.IntN(20_000)) * time.Millisecond)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+d.IntN(30))*time.Second)
		switch d.IntN(9) {
		case 0:
			_ = c.Cancel(ctx, id, "storm")
		case 1:
			_ = c.Pause(ctx, id, "storm")
		case 2, 3:
			_ = c.Resume(ctx, id, "storm")
		case 4, 5:
			_ = c.Retry(ctx, id, "", "storm")
		case 6:
			_ = c.Signal(ctx, id, "go", "x")
		case 7:
			_, _ = c.Wait(ctx, id)
		case 8:
			if d.IntN(5) == 0 {
				_ = c.Abandon(ctx, id, "storm")
			}
		}
		cancel()
	}
}

// TestEverythingAtOnce lets a storm pass over some dozens of runs, then helps those that need a
// person, and holds every run to its end: each has one, by rule 8 and the effects that exist, and
// no place or slot is lost.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	seed := *stressSeed
	if seed == 0 {
		seed = rand.Uint64() >> 16
	}
	for i := range *stressRounds {
		t.Run(fmt.Sprint("replay with -stress 1 -stressseed ", seed+uint64(i)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &storm{rig: &rig{t: t, plain: memlog.New()}, seed: seed + uint64(i), effects: map[string]bool{}}
				cfg := logtest.FaultyConfig{Seed: w.seed | 1, FailBefore: 0.03, FailAfter: 0.03, Conflict: 0.03, Slow: 0.1, MaxDelay: 300 * time.Millisecond}
				w.log = &failingReads{Log: gate{w.plain, &w.faults, logtest.NewFaultyLog(t, w.plain, cfg)}, w: w}
				w.pass()
			})
		})
	}
}

func (w *storm) pass() {
	sagas := w.sagas()
	var all []saga.AnySaga
	for _, s := range sagas {
		all = append(all, s)
	}
	launchOne := func(node string) (*saga.Coordinator, func()) {
		w.faults.Store(false)
		ctx, stop := context.WithCancel(context.Background())
		c, ended := launch(w.t, ctx, w.log, saga.Config{Node: node, Shared: w.seed%3 == 0, NodeTimeout: time.Minute, MaxRuns: 6, CacheRuns: 2, SnapshotEvery: 10, CheckpointEvery: 50, ShutdownTimeout: time.Hour}, all...)
		w.faults.Store(!w.calm.Load())
		return c, func() { stop(); require.NoError(w.t, <-ended) }
	}
	d, n := w.dice("main"), 0
	for life := range 4 {
		one, stopOne := launchOne("one")
		two, stopTwo := one, func() {}
		if w.seed%3 == 0 { // every third world has two coordinators on one log
			two, stopTwo = launchOne("two")
		}
		if life == 3 {
			w.calm.Store(true)
			w.faults.Store(false)
			w.help(one)
			w.help(two)
			require.Zero(w.t, one.ActiveRuns()+two.ActiveRuns(), "places that nobody gave back")
			stopOne()
			stopTwo()
			break
		}
		var callers sync.WaitGroup
		for range 15 {
			n++
			s, key, n := sagas[d.IntN(len(sagas))], fmt.Sprint("key ", d.IntN(30)), n
			c, wait := []*saga.Coordinator{one, two}[d.IntN(2)], time.Duration(d.IntN(30))*time.Second
			callers.Go(func() {
				time.Sleep(wait)
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if run, err := saga.Start(ctx, c, s, "in", saga.Key(key)); err == nil {
					w.people(c, run.ID, n)
				}
			})
		}
		time.Sleep(time.Duration(30+d.IntN(60)) * time.Second)
		stopOne()
		time.Sleep(time.Duration(d.IntN(30)) * time.Second)
		stopTwo()
		callers.Wait()
	}
	for _, id := range w.runs() {
		w.check(checkStream(w.t, w.plain, id))
	}
}

// help resumes what is paused and retries what is stuck, until every run has ended.
func (w *storm) help(c *saga.Coordinator) {
	for range 50 {
		time.Sleep(10 * time.Minute)
		if c.UnfinishedRuns() == 0 {
			return
		}
		for _, id := range w.runs() {
			_ = c.Resume(context.Background(), id, "helped")
			if err := c.Retry(context.Background(), id, "", "helped"); err != nil && !errors.Is(err, saga.ErrNotStuck) && !errors.Is(err, saga.ErrEnded) {
				w.t.Errorf("retry: %v", err)
			}
		}
	}
	for _, id := range w.runs() {
		if why, err := c.Why(context.Background(), id); err == nil && !checkStream(w.t, w.plain, id).End.Ended() {
			w.t.Errorf("%s does not end: %+v", id, why)
		}
	}
	w.t.Fatalf("%d runs do not end", c.UnfinishedRuns())
}

// check compares a run's end with the effects that exist.
func (w *storm) check(s *machine.State) {
	if s.End == domain.RunIsAbandoned {
		return
	}
	left := slices.Clone(s.Left)
	s.Steps(func(st *machine.Step) {
		if st.Handler || st.Node.Kind != domain.KindDo || st.Node.Action.Effect == domain.EffectNone || slices.Contains(left, st.Path) {
			return
		}
		w.mu.Lock()
		exists := w.effects[s.Run.String()+" "+st.Path]
		w.mu.Unlock()
		switch {
		case st.Phase == machine.Done && !exists:
			w.t.Errorf("run %s is %s, but %s has no effect", s.Run, s.End, st.Path)
		case st.Turning && exists:
			w.t.Errorf("run %s is %s, but the effect of %s, which was turned back, exists: %s", s.Run, s.End, st.Path, st.Phase)
		case s.End != domain.RunIsCompleted && !st.Turning:
			w.t.Errorf("run %s is %s, but %s was not turned back", s.Run, s.End, st.Path)
		}
	})
}
