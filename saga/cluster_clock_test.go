package saga_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// apart runs a scenario with a second node whose clock is so far from the first one's.
func apart(t *testing.T, scenario func(r *rig, by time.Duration, second *wallClock)) {
	t.Parallel()
	for _, by := range []time.Duration{0, 5 * time.Second, -5 * time.Second, time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, w := newRig(t, memlog.New()), &wallClock{}
				w.step(by)
				t.Cleanup(r.checkStreams)
				scenario(r, by, w)
			})
		})
	}
}

// TestNodesOfDifferentClocksLeaveEachOthersWorkAlone: neither node gives up an attempt that is at
// work on the other, ends its sleep early, or begins its retry early, also while it has other
// business with the run.
func TestNodesOfDifferentClocksLeaveEachOthersWorkAlone(t *testing.T) {
	apart(t, func(r *rig, by time.Duration, w *wallClock) {
		a := r.act("a")
		a.Timeout, a.Retry = 30*time.Second, saga.Retry{MaxAttempts: 2, Initial: 20 * time.Second, Jitter: saga.JitterNone}
		a.HeartbeatTimeout = 28 * time.Second
		a.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "a")
			select {
			case <-time.After(27 * time.Second):
			case <-ctx.Done():
				return "", saga.Permanent(errors.New("cut short"))
			}
			if saga.AttemptOf(ctx).Number == 1 {
				return "", saga.NothingDone(errModel)
			}
			return in, nil
		}
		s := saga.Define("works", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Parallel(f,
				func(f *saga.Flow) {
					saga.Do(f, a, in.In)
					saga.Sleep(f, 30*time.Second)
					saga.Await[string](f, "never", saga.Within(20*time.Second), saga.DefaultTo(""))
				},
				func(f *saga.Flow) {
					for _, name := range []string{"s1", "s2", "s3", "s4"} {
						saga.Await[string](f, name)
					}
				})
			return in
		})
		first := begin(r.t, r.plain, saga.Config{Node: "first", Shared: true}, s)
		second := begin(r.t, r.plain, saga.Config{Node: "second", Shared: true, Clock: w}, s)
		sleepABit()
		began := time.Now()
		run := start(r.t, first, s, "")
		// At work, in backoff, asleep, awaiting.
		for i, at := range []time.Duration{10 * time.Second, 35 * time.Second, 85 * time.Second, 110 * time.Second} {
			time.Sleep(time.Until(began.Add(at)))
			require.NoError(r.t, second.Signal(r.t.Context(), run.ID, []string{"s1", "s2", "s3", "s4"}[i], ""))
		}
		_, err := finished(r.t, run)
		require.NoError(r.t, err)
		require.Equal(r.t, []string{"a", "a"}, r.called())
		for _, f := range r.facts(run.ID) {
			if e, ok := f.Event.(*domain.AttemptFailed); ok {
				require.Equal(r.t, domain.FailureRetryable, e.Cause.Kind, "the handler's own word")
			}
		}
		require.InDelta(r.t, float64(124*time.Second), float64(time.Since(began)), float64(5*time.Second))
	})
}

// TestRunsOfASilentNodeAreTakenOverWhateverTheClocks: silence alone makes an attempt lost, and
// makes it so in time.
func TestRunsOfASilentNodeAreTakenOverWhateverTheClocks(t *testing.T) {
	apart(t, func(r *rig, by time.Duration, w *wallClock) {
		a := r.act("a")
		a.Timeout = 10 * time.Hour
		calls := make(chan struct{}, 10)
		a.Do = func(ctx context.Context, in string) (string, error) {
			calls <- struct{}{}
			if saga.AttemptOf(ctx).Number == 1 {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return in, nil
		}
		s := chain("taken-over", a)
		dying := &deadLog{Log: r.plain}
		first := begin(r.t, dying, saga.Config{Node: "first", Shared: true, ShutdownTimeout: time.Second}, s)
		second := begin(r.t, r.plain, saga.Config{Node: "second", Shared: true, Clock: w}, s)
		run := start(r.t, first, s, "")
		<-calls
		time.Sleep(5 * time.Minute)
		require.Empty(r.t, calls)
		dying.dead.Store(true)
		began := time.Now()
		<-calls
		require.Less(r.t, time.Since(began), 20*time.Second)
		_, err := second.Wait(r.t.Context(), run.ID)
		require.NoError(r.t, err)
		e := r.events(run.ID, "attempt.failed")
		require.Len(r.t, e, 1)
	})
}

// otherNodes lists the nodes that a coordinator heard of, without itself.
func otherNodes(c *saga.Coordinator) []saga.Node {
	return slices.DeleteFunc(c.Nodes(), func(n saga.Node) bool { return n.Self })
}

// TestANodeListsItself: alone on its log, and among others, with its last sign of life.
func TestANodeListsItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		alone := begin(t, r.plain, saga.Config{Node: "alone"})
		nodes := alone.Nodes()
		require.Len(t, nodes, 1)
		require.True(t, nodes[0].Self && nodes[0].Alive)
		require.Equal(t, "alone", nodes[0].Name)
		require.Zero(t, nodes[0].LastSign, "nobody is shown that it lives")

		b := begin(t, r.plain, saga.Config{Node: "b", Shared: true})
		a, stop := beginStoppable(t, r.plain, saga.Config{Node: "a", Shared: true}, nil)
		time.Sleep(5 * time.Second)
		for self, c := range map[string]*saga.Coordinator{"a": a, "b": b} {
			nodes := c.Nodes()
			require.Len(t, nodes, 2)
			for i, name := range []string{"a", "b"} {
				require.Equal(t, name, nodes[i].Name)
				require.Equal(t, name == self, nodes[i].Self)
				require.True(t, nodes[i].Alive)
				require.WithinDuration(t, time.Now(), nodes[i].LastSign, 5*time.Second)
			}
		}
		stop()
		sleepABit()
		require.Len(t, b.Nodes(), 1, "who has left is not listed")
	})
}

// TestNodesAreListedInTheirLatestLife: a node that crashed and is back is one node, and its metric
// one series.
func TestNodesAreListedInTheirLatestLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		dying := &deadLog{Log: r.plain}
		begin(t, dying, saga.Config{Node: "first", Shared: true, ShutdownTimeout: time.Second})
		second := begin(t, r.plain, saga.Config{Node: "second", Shared: true})
		sleepABit()
		before := otherNodes(second)
		require.Len(t, before, 1)
		dying.dead.Store(true)
		begin(t, r.plain, saga.Config{Node: "first", Shared: true})
		time.Sleep(5 * time.Second) // the old life still counts as alive
		after := otherNodes(second)
		require.Len(t, after, 1)
		require.NotEqual(t, before[0].Incarnation, after[0].Incarnation)
		require.True(t, after[0].Alive)
	})
}

// TestSkewIsMeasuredShownAndTold: each node knows how far the other's clock is ahead, also after
// that was set, and one of them tells once if it is over a second.
func TestSkewIsMeasuredShownAndTold(t *testing.T) {
	apart(t, func(r *rig, by time.Duration, w *wallClock) {
		alerts := &alertList{}
		log := &laggingLog{Log: r.plain, held: make(chan struct{}, 1)}
		first := begin(r.t, log, saga.Config{Node: "first", Shared: true, Alerts: []saga.AlertSink{alerts}})
		second := begin(r.t, r.plain, saga.Config{Node: "second", Shared: true, Clock: w})
		time.Sleep(5 * time.Minute)
		check := func(by time.Duration) {
			one, two := otherNodes(first), otherNodes(second)
			require.Len(r.t, one, 1)
			require.Len(r.t, two, 1)
			require.True(r.t, one[0].SkewKnown && one[0].Alive && two[0].SkewKnown && two[0].Alive)
			require.Equal(r.t, []string{"second", "first"}, []string{one[0].Name, two[0].Name})
			require.InDelta(r.t, float64(by), float64(one[0].Skew), float64(100*time.Millisecond))
			require.InDelta(r.t, float64(-by), float64(two[0].Skew), float64(100*time.Millisecond))
		}
		check(by)
		told := 0
		if by.Abs() > saga.SkewTold {
			told = 1
		}
		require.Len(r.t, alerts.of(saga.AlertSkew), told)
		log.held <- struct{}{} // what this node hears is held up, which is no skew
		time.Sleep(time.Minute)
		<-log.held
		time.Sleep(time.Minute)
		check(by)
		w.step(-by)
		time.Sleep(time.Minute)
		check(0)
		require.Len(r.t, alerts.of(saga.AlertSkew), told)
		for _, a := range alerts.of(saga.AlertSkew) {
			require.Contains(r.t, a.Cause.Message, "set both by NTP")
			require.Equal(r.t, domain.RunID{}, a.Run)
		}
	})
}
