package saga_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

func TestSleepEndsAtItsTime(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		s := saga.Define("sleeps", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Sleep(f, 2*time.Hour)
			saga.SleepUntil(f, func(saga.Scope) time.Time { return time.Time{} }, saga.Name("past"))
			return saga.Do(f, a, in.In)
		})
		c := r.begin(saga.Config{}, s)
		began := time.Now()
		run := start(r.t, c, s, "")
		out, err := r.wait(run)
		require.NoError(r.t, err)
		require.Equal(r.t, "a", out)
		require.GreaterOrEqual(r.t, time.Since(began), 2*time.Hour)
	})
}

// wait waits for a run for as long as it takes in the bubble.
func (r *rig) wait(run *saga.Run[string]) (string, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 1000*time.Hour)
	defer cancel()
	return run.Wait(ctx)
}

func TestSignalBeforeAndAfterItsAwait(t *testing.T) {
	for name, early := range map[string]bool{"before": true, "after": false} {
		t.Run(name, func(t *testing.T) {
			onEveryLog(t, func(r *rig) {
				a := r.act("a")
				s := saga.Define("awaits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
					saga.Do(f, a, in.In)
					x := saga.Await[string](f, "go")
					y := saga.Await[string](f, "go", saga.Name("again"))
					return saga.Return(f, func(v saga.Scope) string { return x.In(v) + y.In(v) })
				})
				goOn := make(chan struct{})
				inner := a.Do
				a.Do = func(ctx context.Context, in string) (string, error) { <-goOn; return inner(ctx, in) }
				c := r.begin(saga.Config{}, s)
				run := start(r.t, c, s, "")
				if !early {
					close(goOn)
					sleepABit()
				}
				require.NoError(r.t, c.Signal(r.t.Context(), run.ID, "go", "x", saga.SignalID("1")))
				require.NoError(r.t, c.Signal(r.t.Context(), run.ID, "go", "not again", saga.SignalID("1")), "a repeat is nothing")
				require.NoError(r.t, c.Signal(r.t.Context(), run.ID, "other", "no", saga.Keep()))
				require.NoError(r.t, c.Signal(r.t.Context(), run.ID, "go", "y", saga.SignalID("2")))
				if early {
					close(goOn)
				}
				out, err := r.wait(run)
				require.NoError(r.t, err)
				require.Equal(r.t, "xy", out)
				require.ErrorIs(r.t, c.Signal(r.t.Context(), run.ID, "go", "z"), saga.ErrEnded)
			})
		})
	}
}

func TestAwaitRunsOut(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		s := saga.Define("awaits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Do(f, a, in.In)
			x := saga.Await[string](f, "soon", saga.Within(time.Hour), saga.DefaultTo("never mind"))
			saga.Await[string](f, "later", saga.Within(time.Hour))
			return x
		})
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		_, err := r.wait(run)
		var comp *saga.CompensatedError
		require.ErrorAs(r.t, err, &comp)
		require.Equal(r.t, "later", comp.Cause.Step)
		require.Equal(r.t, []string{"a", "undo a"}, r.called())
	})
}

func TestDeadlineTurnsTheRunBack(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		s := saga.Define("late", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			x := saga.Do(f, r.act("a"), in.In)
			saga.Await[string](f, "never")
			return x
		}, saga.Deadline(time.Hour))
		c := r.begin(saga.Config{}, s)
		for _, in := range []time.Duration{0, time.Minute} {
			var opts []saga.StartOption
			if in > 0 {
				opts = append(opts, saga.RunDeadline(time.Now().Add(in)))
			}
			run := start(r.t, c, s, "", opts...)
			_, err := r.wait(run)
			var comp *saga.CompensatedError
			require.ErrorAs(r.t, err, &comp)
			require.Equal(r.t, domain.FailureDeadline, comp.Cause.Kind)
		}
	})
}

// TestTimedOutAttemptIsInDoubt gives up an attempt that does not come back, asks the probe, and
// does as it says.
func TestTimedOutAttemptIsInDoubt(t *testing.T) {
	for name, test := range map[string]struct {
		probe func() (saga.Probed[string], error)
		calls []string
		out   string
	}{
		"applied":     {func() (saga.Probed[string], error) { return saga.Applied("found"), nil }, []string{"a", "probe"}, "found"},
		"not applied": {func() (saga.Probed[string], error) { return saga.NotApplied[string](), nil }, []string{"a", "probe", "a"}, "a"},
		"unknown":     {func() (saga.Probed[string], error) { return saga.Unknown[string](), nil }, []string{"a", "probe", "a"}, "a"},
		"fails":       {func() (saga.Probed[string], error) { return saga.Probed[string]{}, errModel }, []string{"a", "probe", "probe", "probe", "a"}, "a"},
		"panics":      {func() (saga.Probed[string], error) { panic("probe") }, []string{"a", "probe", "probe", "probe", "a"}, "a"},
		"gives up":    {func() (saga.Probed[string], error) { return saga.Probed[string]{}, saga.Permanent(errModel) }, []string{"a", "probe", "a"}, "a"},
		"no probe":    {nil, []string{"a", "a"}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryLog(t, func(r *rig) {
				a := r.act("a")
				a.Timeout = 10 * time.Second
				var hung atomic.Bool
				inner := a.Do
				a.Do = func(ctx context.Context, in string) (string, error) {
					out, err := inner(ctx, in)
					if hung.CompareAndSwap(false, true) {
						<-ctx.Done() // deaf to it for a while
						time.Sleep(time.Hour)
						return "", errors.New("too late to tell")
					}
					return out, err
				}
				if test.probe != nil {
					a.Probe = func(ctx context.Context, in string) (saga.Probed[string], error) {
						r.note(ctx, "probe")
						return test.probe()
					}
				}
				s := chain("hangs", a)
				c := r.begin(saga.Config{}, s)
				run := start(r.t, c, s, "")
				out, err := r.wait(run)
				require.NoError(r.t, err)
				require.Equal(r.t, test.out, out)
				require.Equal(r.t, test.calls, r.called())
				time.Sleep(2 * time.Hour)
				require.Contains(r.t, r.events(run.ID, "attempt."), "attempt.late.v1", "what came late is recorded")
			})
		})
	}
}

func TestLateSuccessIsUndone(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		a.Timeout, a.Retry = 10*time.Second, saga.Retry{MaxAttempts: 1}
		a.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "a")
			<-ctx.Done()
			time.Sleep(time.Hour) // deaf
			return "late", nil
		}
		outputs, keys := make(chan string, 2), make(chan string, 2)
		a.Undo = func(ctx context.Context, did saga.Did[string, string]) error {
			r.note(ctx, "undo a")
			outputs <- did.Output
			keys <- saga.AttemptOf(ctx).Key
			require.True(r.t, did.InDoubt)
			return nil
		}
		s := chain("late", a)
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		_, err := r.wait(run)
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		time.Sleep(2 * time.Hour)
		require.Equal(r.t, []string{"a", "undo a", "undo a"}, r.called(), "the effect may have come after the undo")
		require.Empty(r.t, <-outputs)
		require.Equal(r.t, "late", <-outputs)
		first, second := <-keys, <-keys
		require.NotEqual(r.t, first, second, "whoever saw the first undo's key would take the second for a repeat")
	})
}

func TestHeartbeatKeepsAnAttemptAlive(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		a.Timeout, a.HeartbeatTimeout = 10*time.Hour, 30*time.Second
		var first atomic.Bool
		a.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "a")
			var at int
			if had, err := saga.LastHeartbeat(ctx, &at); err != nil || had != (saga.AttemptOf(ctx).Number > 1) {
				return "", saga.Permanent(errors.New("wrong heartbeat"))
			}
			for ; at < 100; at++ {
				if at == 60 && first.CompareAndSwap(false, true) {
					<-ctx.Done() // silent from here on
					return "", context.Cause(ctx)
				}
				time.Sleep(10 * time.Second)
				if err := saga.Heartbeat(ctx, at); err != nil {
					return "", err
				}
			}
			return "done", nil
		}
		s := chain("beats", a)
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		out, err := r.wait(run)
		require.NoError(r.t, err)
		require.Equal(r.t, "done", out)
		require.Equal(r.t, []string{"a", "a"}, r.called())
	})
}

func TestActionsKeepToTheirConcurrencyAndRate(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		var now, most atomic.Int32
		var starts []time.Time
		a := r.act("a")
		a.Concurrency, a.Rate, a.Burst = 3, 10, 2
		a.Do = func(ctx context.Context, in string) (string, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			r.mu.Lock()
			starts = append(starts, time.Now())
			r.mu.Unlock()
			time.Sleep(500 * time.Millisecond)
			return in, nil
		}
		s := saga.Define("many", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[[]string] {
			return saga.Each(f, "each", func(saga.Scope) []string { return make([]string, 10) }, func(f *saga.Flow, item saga.Ref[string]) saga.Ref[string] {
				return saga.Do(f, a, item.In)
			}).Ref
		})
		c := r.begin(saga.Config{}, s)
		began := time.Now()
		runs := []*saga.Run[[]string]{start(r.t, c, s, ""), start(r.t, c, s, ""), start(r.t, c, s, "")}
		for _, run := range runs {
			_, err := finished(r.t, run)
			require.NoError(r.t, err)
		}
		require.Equal(r.t, int32(3), most.Load())
		require.Len(r.t, starts, 30)
		slices.SortFunc(starts, time.Time.Compare)
		for i := range starts {
			require.GreaterOrEqual(r.t, starts[i].Sub(began), time.Duration(i-2)*100*time.Millisecond, "start %d", i)
		}
	})
}

func TestStartWaitsWhileTheCoordinatorIsFull(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		a.Timeout = time.Hour
		goOn := make(chan struct{})
		inner := a.Do
		a.Do = func(ctx context.Context, in string) (string, error) {
			select {
			case <-goOn:
			case <-ctx.Done():
			}
			return inner(ctx, in)
		}
		s := chain("full", a)
		c := r.begin(saga.Config{MaxRuns: 2}, s)
		first, second := start(r.t, c, s, "1"), start(r.t, c, s, "2")
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		_, err := saga.Start(ctx, c, s, "3")
		require.ErrorIs(r.t, err, context.DeadlineExceeded)
		require.Len(r.t, r.runs(), 2)
		third := make(chan error, 1)
		go func() {
			run, err := saga.Start(r.t.Context(), c, s, "3")
			if err == nil {
				_, err = run.Wait(r.t.Context())
			}
			third <- err
		}()
		sleepABit()
		require.Len(r.t, r.runs(), 2)
		require.Equal(r.t, 2, c.ActiveRuns())
		close(goOn)
		for _, run := range []*saga.Run[string]{first, second} {
			_, err := finished(r.t, run)
			require.NoError(r.t, err)
		}
		require.NoError(r.t, <-third)
		sleepABit()
		require.Zero(r.t, c.ActiveRuns())
		require.Zero(r.t, c.UnfinishedRuns())
	})
}
