package saga_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/queue"
)

// startWorker runs a worker as if in another process, and returns what stops it.
func startWorker(t *testing.T, broker *queue.Queue, s saga.AnySaga) (stop func()) {
	w, err := saga.NewWorker(saga.WorkerConfig{Sagas: []saga.AnySaga{s}, Publisher: bytesOnly{broker.Publisher()}, Subscriber: broker.Group(""),
		Logger: slog.New(slog.DiscardHandler), ShutdownTimeout: time.Second})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return func() { cancel(); require.NoError(t, <-ended) }
}

// TestWorkersTakeNoClockForTheirOwn: workers in other processes get contexts of the right length,
// even if the coordinator's clock is an hour off, or is set meanwhile.
func TestWorkersTakeNoClockForTheirOwn(t *testing.T) {
	clocked(t, func(r *rig, w *wallClock, step func()) {
		broker, err := queue.New(queue.Config{})
		require.NoError(r.t, err)
		r.t.Cleanup(func() { require.NoError(r.t, broker.Close()) })
		a := r.act("a")
		a.Timeout, a.Retry = 10*time.Minute, saga.Retry{MaxAttempts: 1}
		a.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "a")
			deadline, ok := ctx.Deadline()
			if left := time.Until(deadline); !ok || left < 9*time.Minute || left > 10*time.Minute {
				return "", saga.Permanent(errors.New("another deadline than 10 minutes"))
			}
			step()
			time.Sleep(9 * time.Minute)
			return in + "a", ctx.Err()
		}
		s := saga.Define("remote", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			return saga.Do(f, a, saga.Do(f, a, in.In).In, saga.Name("again"))
		})
		stop := startWorker(r.t, broker, s)
		defer stop()
		c := begin(r.t, r.plain, saga.Config{Clock: w, Publisher: bytesOnly{broker.Publisher()}, Subscriber: broker.Group(""), NoWorker: true}, s)
		out, err := finished(r.t, start(r.t, c, s, ""))
		require.NoError(r.t, err)
		require.Equal(r.t, "aa", out)
		require.Equal(r.t, []string{"a", "a"}, r.called())
	})
}

// TestAttemptThatCameTooLateIsNotCalled: while the first attempts of a worker are told quickly, one
// lies in the broker until after it was given up. Its handler is not called then, and the outcome
// says that nothing was done.
func TestAttemptThatCameTooLateIsNotCalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := newRig(t, memlog.New()), &wallClock{}
		w.step(-time.Hour)
		broker, err := queue.New(queue.Config{InFlight: 1}) // a broker that hands out one at a time
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, broker.Close()) })
		a := r.act("a")
		a.Timeout, a.Retry = time.Minute, saga.Retry{MaxAttempts: 1}
		a.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "a"+in)
			if in == "slow" {
				time.Sleep(5 * time.Minute) // deaf
			}
			return in, nil
		}
		s := chain("remote", a)
		stop := startWorker(t, broker, s)
		defer stop()
		c := begin(t, r.plain, saga.Config{Clock: w, Publisher: bytesOnly{broker.Publisher()}, Subscriber: broker.Group(""), NoWorker: true}, s)
		_, err = finished(t, start(t, c, s, "quick"))
		require.NoError(t, err)
		start(t, c, s, "slow")
		sleepABit()
		behind := start(t, c, s, "behind")
		time.Sleep(20 * time.Minute)
		require.NotContains(t, r.called(), "abehind")
		late := 0
		for _, f := range r.facts(behind.ID) {
			if e, ok := f.Event.(*domain.OutcomeLate); ok && e.Direction == domain.Do {
				require.False(t, e.Cause.InDoubt)
				require.Contains(t, e.Cause.Message, "before its handler could be called")
				late++
			}
		}
		require.Equal(t, 1, late)
	})
}

// TestSilentCoordinatorLosesNoAttemptOfALiveWorker: over a broker an attempt outlives its
// coordinator. The node that takes the run over waits for its due time, whatever its own clock
// shows.
func TestSilentCoordinatorLosesNoAttemptOfALiveWorker(t *testing.T) {
	apart(t, func(r *rig, by time.Duration, w *wallClock) {
		broker, err := queue.New(queue.Config{})
		require.NoError(r.t, err)
		r.t.Cleanup(func() { require.NoError(r.t, broker.Close()) })
		over := make(chan struct{})
		a := r.act("a")
		a.Timeout, a.Retry = 30*time.Minute, saga.Retry{MaxAttempts: 2, Initial: time.Second}
		a.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "a"+in)
			if in == "dies" && saga.AttemptOf(ctx).Number == 1 {
				<-ctx.Done()
				<-over // its worker is as good as dead
				return "", ctx.Err()
			}
			time.Sleep(29 * time.Minute)
			return in, ctx.Err()
		}
		s := chain("remote", a)
		stop := startWorker(r.t, broker, s)
		defer stop()
		defer close(over)
		cfg := func(name string) saga.Config {
			return saga.Config{Node: name, Shared: true, Publisher: bytesOnly{broker.Publisher()}, Subscriber: broker.Group(""), NoWorker: true}
		}
		first, silent := beginStoppable(r.t, r.plain, cfg("first"), nil, s)
		two := cfg("second")
		two.Clock = w
		second := begin(r.t, r.plain, two, s)
		sleepABit()
		lives, dies := start(r.t, first, s, "lives"), start(r.t, first, s, "dies")
		began := time.Now()
		sleepABit()
		silent()
		_, err = finishedOn(r.t, second, lives.ID)
		require.NoError(r.t, err)
		require.Equal(r.t, []string{"attempt.started.v1", "attempt.succeeded.v1"}, r.events(lives.ID, "attempt."))
		_, err = finishedOn(r.t, second, dies.ID)
		require.NoError(r.t, err)
		require.InDelta(r.t, float64(59*time.Minute), float64(time.Since(began)), float64(30*time.Second), "given up when due")
	})
}

func finishedOn(t *testing.T, c *saga.Coordinator, id domain.RunID) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
	defer cancel()
	return saga.RunOf[string](c, id).Wait(ctx)
}
