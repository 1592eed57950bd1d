package saga_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest/logtest"
)

// outage is a log that refuses every append while it is down.
type outage struct {
	domain.Log
	down atomic.Bool
}

func (o *outage) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if o.down.Load() {
		return domain.Appended{}, logtest.ErrInjected
	}
	return o.Log.Append(ctx, stream, expected, events...)
}

// TestCallersAreNotHeldByAnOutage has the log refuse everything for an hour: calls end with their
// context, and when the log is back every run goes on, and what was asked for has happened once.
func TestCallersAreNotHeldByAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		log := &outage{Log: r.plain}
		r.log = log
		s := saga.Define("awaits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			x := saga.Do(f, r.act("a"), in.In)
			saga.Await[string](f, "go")
			return x
		})
		c := begin(t, log, saga.Config{}, s)
		before := start(t, c, s, "-")
		sleepABit()
		log.down.Store(true)
		short := func() context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			t.Cleanup(cancel)
			return ctx
		}
		_, err := saga.Start(short(), c, s, "-", saga.Key("k"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, c.Signal(short(), before.ID, "go", "x", saga.SignalID("1")), context.DeadlineExceeded)
		require.ErrorIs(t, c.Cancel(short(), before.ID, "x"), context.DeadlineExceeded)
		time.Sleep(time.Hour)
		log.down.Store(false)
		sleepABit()
		run := start(t, c, s, "-", saga.Key("k"))
		require.NoError(t, c.Signal(t.Context(), run.ID, "go", "x"))
		_, err = finished(t, run)
		require.NoError(t, err)
		_, err = finished(t, before) // the signal and the cancel raced, once the log was back
		if err != nil {
			require.ErrorAs(t, err, new(*saga.CancelledError))
		}
		require.Len(t, r.runs(), 2)
		r.checkStreams()
	})
}

// TestWhatGrowsOverAnAppendFailsTheStep: the results of one of a planner's rounds, and the report
// to a failure handler, may outgrow an append though each part fits. The run then fails or goes on,
// but never hangs. Results of several rounds may be as many as they like.
func TestWhatGrowsOverAnAppendFailsTheStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		big := &saga.Action[int, string]{Name: "big", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (string, error) {
			return strings.Repeat("x", 400<<10), nil
		}}
		planner := &saga.Action[saga.PlannerIn[string], saga.Steps[string]]{Name: "planner", Effect: saga.NoEffect,
			Do: func(ctx context.Context, in saga.PlannerIn[string]) (saga.Steps[string], error) {
				if in.Round > 4 {
					return saga.Steps[string]{Done: true}, nil
				}
				next := []saga.NextStep{{Action: "big", Input: in.Round}}
				if in.Input == "at once" {
					next = append(next, saga.NextStep{Name: "another", Action: "big", Input: in.Round})
				}
				return saga.Steps[string]{Do: next}, nil
			}}
		plans := saga.Define("plans", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			return saga.Plan(f, "agent", planner, in.In, saga.Uses(big))
		})
		x := r.act("x")
		told := make(chan saga.Failed, 2)
		x.OnFailure = &saga.Action[saga.Failed, saga.None]{Name: "tell", Effect: saga.NoEffect, Do: func(_ context.Context, in saga.Failed) (saga.None, error) {
			told <- in
			return saga.None{}, nil
		}}
		r.fails("x", saga.Permanent(errModel))
		fails := saga.Define("fails", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Do(f, x, in.In) })
		c := begin(t, r.plain, saga.Config{}, plans, fails)
		_, err := finished(t, start(t, c, plans, ""))
		require.NoError(t, err)
		_, err = finished(t, start(t, c, plans, "at once"))
		var comp *saga.CompensatedError
		require.ErrorAs(t, err, &comp)
		require.Contains(t, comp.Cause.Message, "fit")
		_, err = finished(t, start(t, c, fails, strings.Repeat("y", 500<<10)))
		require.ErrorAs(t, err, &comp)
		sleepABit()
		require.Equal(t, "x", (<-told).Step)
		require.Zero(t, c.UnfinishedRuns())
	})
}
