package saga_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestFamilyThatOnlyWaitsTakesNoPlace: a parent that waits for its child, which waits for a signal,
// keeps nobody from starting, and is pushed out of the cache by runs that only wait; it goes on and
// ends all the same.
func TestFamilyThatOnlyWaitsTakesNoPlace(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		child := saga.Define("child", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "go") })
		parent := saga.Define("parent", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Child(f, child, in.In) })
		sleeper := saga.Define("sleeper", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Sleep(f, 100*time.Hour)
			return in
		})
		c := r.begin(saga.Config{MaxRuns: 2, CacheRuns: 1}, parent, sleeper)
		run := start(r.t, c, parent, "")
		for range 5 {
			start(r.t, c, sleeper, "")
			sleepABit()
		}
		require.Zero(r.t, c.ActiveRuns(), "nobody has anything to do")
		require.NoError(r.t, c.Signal(r.t.Context(), domain.ChildRunID(run.ID, "child"), "go", "x"))
		_, err := finished(r.t, run)
		require.NoError(r.t, err)
		sleepABit()
		require.Zero(r.t, c.ActiveRuns())
	})
}

// TestRunsThatWaitForAPersonTakeNoPlace: neither a paused run nor a blocked one keeps others from
// starting.
func TestRunsThatWaitForAPersonTakeNoPlace(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		running, goOn := make(chan struct{}), make(chan struct{})
		a, b := r.act("a"), r.act("b")
		a.Do = func(ctx context.Context, in string) (string, error) {
			close(running)
			<-goOn
			return in, nil
		}
		pausing, next := chain("pausing", a, b), chain("next", r.act("c"))
		blocked := saga.Define("blocked", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Pivot(f)
			return saga.Return(f, func(saga.Scope) string { panic("a defect in the definition") })
		})
		c := r.begin(saga.Config{MaxRuns: 1}, pausing, blocked, next)
		run := start(r.t, c, pausing, "")
		<-running
		require.NoError(r.t, c.Pause(r.t.Context(), run.ID, "wait"))
		require.Equal(r.t, 1, c.ActiveRuns(), "its attempt is in flight")
		close(goOn)
		sleepABit()
		require.Zero(r.t, c.ActiveRuns())
		start(r.t, c, blocked, "")
		sleepABit()
		require.Zero(r.t, c.ActiveRuns())
		_, err := finished(r.t, start(r.t, c, next, ""))
		require.NoError(r.t, err)
		require.NoError(r.t, c.Resume(r.t.Context(), run.ID, "go on"))
		_, err = finished(r.t, run)
		require.NoError(r.t, err)
	})
}

// denying is a log that refuses appends to one stream.
type denying struct {
	domain.Log
	stream atomic.Value
}

func (d *denying) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if stream == d.stream.Load() {
		return domain.Appended{}, domain.ErrAccessDenied
	}
	return d.Log.Append(ctx, stream, expected, events...)
}

// TestRunIsLookedAtAgainAfterItsTurnFailed: a run's turn for a slot comes while the log refuses it.
// Nobody else knows of it, and it must go on all the same once the log takes it.
func TestRunIsLookedAtAgainAfterItsTurnFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		log := &denying{Log: r.plain}
		a := r.act("a")
		a.Concurrency = 1
		goOn := make(chan struct{})
		inner := a.Do
		a.Do = func(ctx context.Context, in string) (string, error) { <-goOn; return inner(ctx, in) }
		s := chain("queues", a)
		c := begin(t, log, saga.Config{MaxRuns: 2}, s)
		first, second := start(t, c, s, ""), start(t, c, s, "")
		log.stream.Store(domain.RunStream(second.ID))
		close(goOn)
		_, err := finished(t, first)
		require.NoError(t, err)
		sleepABit()
		log.stream.Store("")
		sleepABit()
		require.Equal(t, []string{"a", "a"}, r.called())
		require.Zero(t, c.UnfinishedRuns())
		require.Zero(t, c.ActiveRuns())
	})
}

// TestFamilyTakesOnePlace: a run, its child and its grandchildren count as one while one of them is
// at work, also after a wait and after a restart, and the next start waits for as long.
func TestFamilyTakesOnePlace(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		enter, goOn := make(chan struct{}, 10), make(chan struct{})
		work := r.act("work")
		work.Timeout, work.Concurrency = 1000*time.Hour, 10
		work.Do = func(ctx context.Context, in string) (string, error) {
			enter <- struct{}{}
			select {
			case <-goOn:
			case <-ctx.Done():
			}
			return in, nil
		}
		grandchild := saga.Define("grandchild", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Await[string](f, "go")
			return saga.Do(f, work, in.In)
		})
		child := saga.Define("child", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Parallel(f,
				func(f *saga.Flow) { saga.Child(f, grandchild, in.In, saga.Name("left")) },
				func(f *saga.Flow) { saga.Child(f, grandchild, in.In, saga.Name("right")) })
			return in
		})
		parent := saga.Define("parent", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Child(f, child, in.In) })
		next := chain("next", r.act("next"))
		c := r.begin(saga.Config{MaxRuns: 1}, parent, next)
		run := start(r.t, c, parent, "")
		sleepABit()
		require.Zero(r.t, c.ActiveRuns())
		for _, name := range []string{"left", "right"} {
			require.NoError(r.t, c.Signal(r.t.Context(), domain.ChildRunID(domain.ChildRunID(run.ID, "child"), name), "go", "x"))
		}
		<-enter
		<-enter
		require.Equal(r.t, 1, c.ActiveRuns())
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		_, err := saga.Start(ctx, c, next, "")
		require.ErrorIs(r.t, err, context.DeadlineExceeded, "the place is taken")
		goOn <- struct{}{}
		sleepABit()
		require.Equal(r.t, 1, c.ActiveRuns(), "the other grandchild is at work")
		goOn <- struct{}{}
		_, err = finished(r.t, run)
		require.NoError(r.t, err)
		_, err = finished(r.t, start(r.t, c, next, ""))
		require.NoError(r.t, err)
		sleepABit()
		require.Zero(r.t, c.ActiveRuns())
	})
}
