package saga_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/saga"
)

func hold(t testing.TB, c *saga.Coordinator, action string, undos bool) {
	t.Helper()
	h, err := c.Hold(saga.WithActor(t.Context(), "ada"), saga.HoldRequest{Action: action, Undos: undos, Reason: "CRM is down"})
	require.NoError(t, err)
	require.Equal(t, "CRM is down", h.Reason)
}

func release(t testing.TB, c *saga.Coordinator, action string) {
	t.Helper()
	h, err := c.Release(saga.WithActor(t.Context(), "bob"), action, "CRM is back")
	require.NoError(t, err)
	require.Equal(t, "ada", h.By)
}

// TestHeldActionStartsNothingUntilItIsReleased: its runs wait for hours without an attempt, a place
// or a wake-up, and others go on past them.
func TestHeldActionStartsNothingUntilItIsReleased(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a, b, other := r.act("a"), r.act("b"), r.act("c")
		b.Concurrency = 1
		s, next := chain("order", a, b), chain("next", other)
		c := r.begin(saga.Config{MaxRuns: 1, CacheRuns: 2}, s, next)
		hold(r.t, c, "b", false)
		var runs []*saga.Run[string]
		for range 5 {
			runs = append(runs, start(r.t, c, s, ""))
			sleepABit()
		}
		time.Sleep(2 * time.Hour)
		require.Zero(r.t, c.ActiveRuns(), "nobody may do anything")
		_, err := finished(r.t, start(r.t, c, next, ""))
		require.NoError(r.t, err)
		require.NotContains(r.t, r.called(), "b")
		require.Equal(r.t, 5, c.QueueDepths()["b"].Held)
		at := len(r.events(runs[0].ID, ""))
		release(r.t, c, "b")
		for _, run := range runs {
			out, err := finished(r.t, run)
			require.NoError(r.t, err)
			require.Equal(r.t, "ab", out)
		}
		require.Empty(r.t, c.Holds())
		require.Greater(r.t, len(r.events(runs[0].ID, "")), at)
		require.Zero(r.t, c.QueueDepths()["b"].Held)
	})
}

// TestHeldRetryUsesNoAttemptUp: the attempts that are left are made after the release.
func TestHeldRetryUsesNoAttemptUp(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		a.Retry = saga.Retry{MaxAttempts: 3, Initial: time.Hour, Max: time.Hour}
		r.fails("a", errModel)
		s := chain("order", a)
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		sleepABit()
		hold(r.t, c, "a", false)
		time.Sleep(3 * time.Hour)
		require.Len(r.t, r.called(), 1)
		why, err := c.Why(r.t.Context(), run.ID)
		require.NoError(r.t, err)
		require.Contains(r.t, why.Text, "a: is to be tried again after model failure; held: CRM is down (action a, by ada since ")
		release(r.t, c, "a")
		_, err = finished(r.t, run)
		require.NoError(r.t, err)
		require.Len(r.t, r.called(), 2)
	})
}

// TestHoldLeavesUndosAloneUnlessAskedTo: a run that turns back undoes a held action, until its
// undos are held too.
func TestHoldLeavesUndosAloneUnlessAskedTo(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a, b := r.act("a"), r.act("b")
		s := chain("order", a, b)
		c := r.begin(saga.Config{}, s)
		r.fails("b", saga.Permanent(errModel), saga.Permanent(errModel))
		hold(r.t, c, "b", false)
		first, second := start(r.t, c, s, ""), start(r.t, c, s, "")
		sleepABit()
		hold(r.t, c, "a", false)
		require.NoError(r.t, c.Cancel(r.t.Context(), first.ID, "enough"))
		_, err := finished(r.t, first)
		require.ErrorAs(r.t, err, new(*saga.CancelledError))
		hold(r.t, c, "a", true)
		require.NoError(r.t, c.Cancel(r.t.Context(), second.ID, "enough"))
		time.Sleep(time.Hour)
		require.Equal(r.t, 1, count(r.called(), "undo a"))
		why, err := c.Why(r.t.Context(), second.ID)
		require.NoError(r.t, err)
		require.Contains(r.t, why.Text, "undo of a: is to be started; held: CRM is down (action a, by ada since ")
		hold(r.t, c, "a", false) // undos may go on again
		_, err = finished(r.t, second)
		require.ErrorAs(r.t, err, new(*saga.CancelledError))
		require.Equal(r.t, 2, count(r.called(), "undo a"))
	})
}

func count(list []string, want string) (n int) {
	for _, s := range list {
		if s == want {
			n++
		}
	}
	return n
}

// TestHoldFreesThoseThatWaitForAPlace: while its only handler hangs, runs that wait for a place of
// the action give up theirs among MaxRuns, and an undo that waits for one gets it.
func TestHoldFreesThoseThatWaitForAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		hang := make(chan struct{})
		slow := &saga.Action[string, string]{Name: "slow", Concurrency: 1, Retry: fastRetry, Do: func(ctx context.Context, in string) (string, error) {
			if in == "hang" {
				<-hang
			}
			return in, nil
		}, Undo: func(context.Context, saga.Did[string, string]) error { return nil }}
		waits := saga.Define("waits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Do(f, slow, in.In)
			return saga.Await[string](f, "go")
		})
		next := chain("next", r.act("c"))
		c := r.begin(saga.Config{MaxRuns: 3}, waits, next)
		undoes := start(t, c, waits, "")
		synctest.Wait()
		hung := start(t, c, waits, "hang")
		synctest.Wait()
		require.NoError(t, c.Cancel(t.Context(), undoes.ID, "enough"))
		behind := start(t, c, waits, "")
		synctest.Wait()
		require.Equal(t, 3, c.ActiveRuns())
		hold(t, c, "slow", false)
		synctest.Wait()
		require.Equal(t, 2, c.ActiveRuns(), "the one that is held needs no place")
		_, err := finished(t, start(t, c, next, ""))
		require.NoError(t, err)
		close(hang)
		_, err = finished(t, undoes)
		require.ErrorAs(t, err, new(*saga.CancelledError))
		require.Zero(t, c.ActiveRuns())
		release(t, c, "slow")
		for _, run := range []*saga.Run[string]{hung, behind} {
			require.NoError(t, c.Signal(t.Context(), run.ID, "go", "x"))
			_, err = finished(t, run)
			require.NoError(t, err)
		}
	})
}

// TestOnlyTheHeldBranchWaits: of one run, branches of other actions go on, and items of one each
// are undone while others are held.
func TestOnlyTheHeldBranchWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		held := r.act("held")
		s := saga.Define("fan", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Parallel(f,
				func(f *saga.Flow) {
					for i := range 50 {
						saga.Do(f, held, in.In, saga.Name(fmt.Sprint("held-", i)))
					}
				},
				func(f *saga.Flow) {
					saga.Do(f, r.act("b"), in.In)
					saga.Sleep(f, time.Hour)
					saga.Do(f, r.act("c"), in.In)
				})
			return in
		})
		c := r.begin(saga.Config{}, s)
		hold(t, c, "held", false)
		run := start(t, c, s, "")
		time.Sleep(2 * time.Hour)
		require.Equal(t, []string{"b", "c"}, r.called())
		release(t, c, "held")
		_, err := finished(t, run)
		require.NoError(t, err)
		require.Len(t, r.called(), 52)
	})
}

// TestHoldOutlivesTheProcess: the next coordinator on the log holds the action as well.
func TestHoldOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		var calls atomic.Int32
		a := &saga.Action[string, string]{Name: "a", Retry: fastRetry, Effect: saga.NoEffect, Do: func(context.Context, string) (string, error) {
			calls.Add(1)
			return "done", nil
		}}
		s := chain("order", a)
		c, stop := beginStoppable(t, log, saga.Config{}, nil, s)
		hold(t, c, "a", false)
		run := start(t, c, s, "")
		synctest.Wait()
		stop()
		c = begin(t, log, saga.Config{}, s)
		time.Sleep(time.Hour)
		require.Zero(t, calls.Load())
		require.Len(t, c.Holds(), 1)
		require.NotNil(t, c.HoldOf("a", false))
		require.Nil(t, c.HoldOf("a", true))
		release(t, c, "a")
		_, err := finished(t, saga.RunOf[string](c, run.ID))
		require.NoError(t, err)
	})
}

// TestHoldHoldsOnEveryNode: a node that hears of a hold starts nothing of the action, for whichever
// run.
func TestHoldHoldsOnEveryNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		var calls atomic.Int32
		a := &saga.Action[string, string]{Name: "a", Retry: fastRetry, Effect: saga.NoEffect, Do: func(context.Context, string) (string, error) {
			calls.Add(1)
			return "done", nil
		}}
		s := chain("order", a)
		one, two := begin(t, log, node("one"), s), begin(t, log, node("two"), s)
		hold(t, one, "a", false)
		synctest.Wait()
		require.Len(t, two.Holds(), 1)
		var runs []*saga.Run[string]
		for _, c := range []*saga.Coordinator{one, two, two, one} {
			runs = append(runs, start(t, c, s, ""))
		}
		time.Sleep(time.Hour)
		require.Zero(t, calls.Load())
		_, err := one.Hold(t.Context(), saga.HoldRequest{Action: "a", Reason: "me too"})
		require.ErrorIs(t, err, saga.ErrHeld)
		require.ErrorContains(t, err, "by ada")
		release(t, two, "a")
		for _, run := range runs {
			_, err := finished(t, run)
			require.NoError(t, err)
		}
		require.Empty(t, one.Holds())
		require.Equal(t, int32(4), calls.Load())
	})
}

// TestFloodOfHeldRuns: thousands of held runs hold up no one, while they come and when they are
// released, and no more of them run at once than the action has places.
func TestFloodOfHeldRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		var running, most atomic.Int32
		a := &saga.Action[string, string]{Name: "a", Concurrency: 3, Retry: fastRetry, Effect: saga.NoEffect, Do: func(context.Context, string) (string, error) {
			n := running.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(time.Millisecond)
			running.Add(-1)
			return "done", nil
		}}
		s, next := chain("order", a), chain("next", r.act("b"))
		c := r.begin(saga.Config{MaxRuns: 10, CacheRuns: 20}, s, next)
		hold(t, c, "a", false)
		var runs []*saga.Run[string]
		for range 2_000 {
			runs = append(runs, start(t, c, s, ""))
		}
		began := time.Now()
		_, err := finished(t, start(t, c, next, ""))
		require.NoError(t, err)
		require.Zero(t, time.Since(began), "at once")
		release(t, c, "a")
		_, err = finished(t, start(t, c, next, ""))
		require.NoError(t, err)
		for _, run := range runs {
			_, err := finished(t, run)
			require.NoError(t, err)
		}
		require.LessOrEqual(t, most.Load(), int32(3))
	})
}

// TestHoldsAreRefusedWithoutAWord: who holds says what and why.
func TestHoldsAreRefusedWithoutAWord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		c := r.begin(saga.Config{}, chain("order", r.act("charge")))
		ctx := t.Context()
		for name, req := range map[string]saga.HoldRequest{
			"no action": {Reason: "x"},
			"no reason": {Action: "charge"},
			"blank":     {Action: "charge", Reason: " \n"},
		} {
			_, err := c.Hold(ctx, req)
			require.ErrorIs(t, err, saga.ErrBadInput, name)
		}
		_, err := c.Hold(ctx, saga.HoldRequest{Action: "chrage", Reason: "x"})
		require.ErrorIs(t, err, saga.ErrUnknownAction)
		require.ErrorContains(t, err, "charge")
		_, err = c.Hold(ctx, saga.HoldRequest{Action: "elsewhere", Reason: "x", Anyway: true})
		require.NoError(t, err)
		_, err = c.Release(ctx, "charge", "x")
		require.ErrorIs(t, err, saga.ErrNotHeld)
		require.ErrorContains(t, err, "held are elsewhere")
		_, err = c.Release(ctx, "elsewhere", "")
		require.ErrorIs(t, err, saga.ErrBadInput)
	})
}
