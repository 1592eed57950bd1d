package saga_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/clock"
)

// wallClock is a wall clock that can be set; the monotonic one goes on as it does.
type wallClock struct {
	clock.System
	set atomic.Int64
}

// Now implements [clock.Clock].
func (w *wallClock) Now() time.Time { return time.Now().Add(time.Duration(w.set.Load())) }

// stillWall is a wall clock that stands still.
type stillWall struct {
	clock.System
	at time.Time
}

// Now implements [clock.Clock].
func (w stillWall) Now() time.Time { return w.at }

func (w *wallClock) step(d time.Duration) { w.set.Add(int64(d)) }

// clocked runs a scenario with a wall clock that is an hour off, or set by one while a run waits.
func clocked(t *testing.T, scenario func(r *rig, w *wallClock, step func())) {
	t.Parallel()
	for name, c := range map[string]struct{ from, by time.Duration }{
		"right": {}, "an hour behind": {from: -time.Hour}, "an hour ahead": {from: time.Hour},
		"set back": {by: -time.Hour}, "set forward": {by: time.Hour}, "behind and put right": {-time.Hour, time.Hour}, "set by days": {by: -50 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, w := newRig(t, memlog.New()), &wallClock{}
				w.step(c.from)
				t.Cleanup(r.checkStreams)
				scenario(r, w, func() { w.step(c.by) })
			})
		})
	}
}

// TestDurationsDoNotFollowTheWallClock: a duration keeps its length, whatever the wall clock is set
// to.
func TestDurationsDoNotFollowTheWallClock(t *testing.T) {
	clocked(t, func(r *rig, w *wallClock, step func()) {
		slow, flaky, last := r.act("slow"), r.act("flaky"), r.act("last")
		slow.Timeout, slow.Retry = 20*time.Minute, saga.Retry{MaxAttempts: 1}
		slow.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "slow")
			deadline, ok := ctx.Deadline()
			if !ok || time.Until(deadline) < 19*time.Minute || time.Until(deadline) > 20*time.Minute {
				return "", saga.Permanent(errors.New("another deadline than 20 minutes"))
			}
			if !saga.AttemptOf(ctx).Deadline.Equal(deadline) {
				return "", saga.Permanent(errors.New("two deadlines"))
			}
			time.Sleep(time.Minute)
			step()
			time.Sleep(10 * time.Minute)
			return in, ctx.Err()
		}
		flaky.Retry = saga.Retry{MaxAttempts: 2, Initial: 10 * time.Minute, Jitter: saga.JitterNone, TotalTimeout: 30 * time.Minute}
		flaky.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "flaky")
			if saga.AttemptOf(ctx).Number == 1 {
				return "", saga.NothingDone(errModel)
			}
			return in, nil
		}
		s := saga.Define("durations", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Do(f, slow, in.In)
			saga.Sleep(f, 30*time.Minute)
			saga.Do(f, flaky, in.In)
			saga.Await[string](f, "never", saga.Within(10*time.Minute), saga.DefaultTo("nothing"))
			return saga.Do(f, last, in.In)
		}, saga.Deadline(2*time.Hour))
		c := begin(r.t, r.plain, saga.Config{Clock: w}, s)
		began := time.Now()
		run := start(r.t, c, s, "")
		// Asleep, in backoff, awaiting.
		for _, at := range []time.Duration{20 * time.Minute, 46 * time.Minute, 55 * time.Minute} {
			time.Sleep(time.Until(began.Add(at)))
			step()
		}
		_, err := r.wait(run)
		require.NoError(r.t, err)
		require.Equal(r.t, []string{"slow", "flaky", "flaky", "last"}, r.called())
		require.InDelta(r.t, float64(61*time.Minute), float64(time.Since(began)), float64(5*time.Second))
		facts := r.facts(run.ID)
		require.WithinDuration(r.t, w.Now(), facts[len(facts)-1].Meta.At, 5*time.Second, "what is recorded is by the wall clock")
	})
}

// TestPlanDeadlinesDoNotFollowTheWallClock: a saga's own deadline is measured, too.
func TestPlanDeadlinesDoNotFollowTheWallClock(t *testing.T) {
	clocked(t, func(r *rig, w *wallClock, step func()) {
		s := saga.Define("late", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "never") }, saga.Deadline(30*time.Minute))
		c := begin(r.t, r.plain, saga.Config{Clock: w}, s)
		began := time.Now()
		run := start(r.t, c, s, "")
		time.Sleep(10 * time.Minute)
		step()
		_, err := r.wait(run)
		var comp *saga.CompensatedError
		require.ErrorAs(r.t, err, &comp)
		require.Equal(r.t, domain.FailureDeadline, comp.Cause.Kind)
		require.InDelta(r.t, float64(30*time.Minute), float64(time.Since(began)), float64(2*time.Second))
	})
}

// TestSlowRunsAreToldOfWhateverTheClockIsSetTo: how long a run takes is measured, too.
func TestSlowRunsAreToldOfWhateverTheClockIsSetTo(t *testing.T) {
	clocked(t, func(r *rig, w *wallClock, step func()) {
		s := saga.Define("slow", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "never") }, saga.Slow(30*time.Minute))
		alerts := &alertList{}
		c := begin(r.t, r.plain, saga.Config{Clock: w, Alerts: []saga.AlertSink{alerts}}, s)
		start(r.t, c, s, "")
		time.Sleep(10 * time.Minute)
		step()
		time.Sleep(19 * time.Minute)
		require.Empty(r.t, alerts.of(saga.AlertSlow))
		time.Sleep(2 * time.Minute)
		require.Len(r.t, alerts.of(saga.AlertSlow), 1)
	})
}

// TestInstantsFollowTheWallClock: what must happen at a time happens when the clock shows that
// time, within seconds after the clock is set.
func TestInstantsFollowTheWallClock(t *testing.T) {
	clocked(t, func(r *rig, w *wallClock, step func()) {
		until := w.Now().Add(30 * time.Minute)
		sleeps := saga.Define("sleeps", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.SleepUntil(f, func(saga.Scope) time.Time { return until })
			return in
		})
		awaits := saga.Define("awaits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "never") })
		c := begin(r.t, r.plain, saga.Config{Clock: w}, sleeps, awaits)
		asleep, awaiting := start(r.t, c, sleeps, ""), start(r.t, c, awaits, "", saga.RunDeadline(until))
		time.Sleep(10 * time.Minute)
		step()
		due := time.Now().Add(max(0, until.Sub(w.Now())))
		_, err := r.wait(asleep)
		require.NoError(r.t, err)
		require.InDelta(r.t, 0, float64(time.Since(due)), float64(3*time.Second))
		_, err = r.wait(awaiting)
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		require.InDelta(r.t, 0, float64(time.Since(due)), float64(3*time.Second))
	})
}

// TestRestartGoesOnByTheWallClock: after a restart the wall clock says how much of a duration is
// left, even if the clock was set before the restart.
func TestRestartGoesOnByTheWallClock(t *testing.T) {
	clocked(t, func(r *rig, w *wallClock, step func()) {
		s := saga.Define("sleeps", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Sleep(f, time.Hour)
			go0 := saga.Await[string](f, "go", saga.Within(10*time.Minute), saga.DefaultTo("default"))
			saga.Sleep(f, time.Hour, saga.Name("more"))
			return go0
		})
		first, stop := beginStoppable(r.t, r.plain, saga.Config{Clock: w}, nil, s)
		began := time.Now()
		run := start(r.t, first, s, "")
		time.Sleep(20 * time.Minute)
		step()
		// The first sleep is over, and what follows is recorded by the clock as it was set.
		time.Sleep(41 * time.Minute)
		stop()
		second := begin(r.t, r.plain, saga.Config{Clock: w}, s)
		out, err := saga.RunOf[string](second, run.ID).Wait(r.t.Context())
		require.NoError(r.t, err)
		require.Equal(r.t, "default", out)
		require.InDelta(r.t, float64(130*time.Minute), float64(time.Since(began)), float64(5*time.Second))
	})
}

// TestRunsStartedAfterTheClockWasSetBackHaveItsTime: their attempts are not given up an hour late
// for that.
func TestRunsStartedAfterTheClockWasSetBackHaveItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := newRig(t, memlog.New()), &wallClock{}
		s := chain("now", r.act("a"))
		c := begin(t, r.plain, saga.Config{Clock: w}, s)
		_, err := finished(t, start(t, c, s, ""))
		require.NoError(t, err)
		w.step(-time.Hour)
		run := start(t, c, s, "")
		_, err = finished(t, run)
		require.NoError(t, err)
		require.WithinDuration(t, w.Now(), r.facts(run.ID)[0].Meta.At, time.Minute)
		require.Equal(t, saga.ClockStatus{Stepped: -time.Hour, Steps: 1}, c.Clock())
	})
}
