package saga_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

// TestMain lets the test binary be the victim of the kill test, and finds leaked goroutines.
func TestMain(m *testing.M) {
	killtest.BeChild(killtest.Children{"victim": victim})
	goleak.VerifyTestMain(m)
}

// TestRunReturnsWithWorkInFlight stops a coordinator while a do and an undo are under way: the do
// is cancelled, the undo awaited, Run returns nil, and a successor ends both runs.
func TestRunReturnsWithWorkInFlight(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		doing, undoing, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{})
		cause := make(chan error, 1)
		var once, undoOnce sync.Once
		a, b := r.act("a"), r.act("b")
		a.Do = func(ctx context.Context, in string) (string, error) {
			first := false
			once.Do(func() { first = true })
			if first {
				close(doing)
				<-ctx.Done()
				cause <- context.Cause(ctx)
				return "", ctx.Err()
			}
			return "a", nil
		}
		undoErr := make(chan error, 1)
		b.Undo = func(ctx context.Context, did saga.Did[string, string]) error {
			undoOnce.Do(func() {
				close(undoing)
				<-goOn
				undoErr <- ctx.Err()
			})
			return nil
		}
		r.fails("c", saga.Permanent(errModel))
		forward, backward := chain("forward", a), chain("backward", b, r.act("c"))
		ctx, stop := context.WithCancel(context.Background())
		c, ended := launch(r.t, ctx, r.log, saga.Config{}, forward, backward)
		r.faults.Store(true)
		one, two := start(r.t, c, forward, ""), start(r.t, c, backward, "")
		<-doing
		<-undoing
		stop()
		require.ErrorIs(r.t, <-cause, saga.ErrShutdown)
		synctest.Wait()
		select {
		case err := <-ended:
			r.t.Fatalf("Run returned %v while an undo was under way", err)
		default:
		}
		close(goOn)
		require.NoError(r.t, <-ended)
		require.NoError(r.t, <-undoErr, "an undo is not cancelled")
		_, err := saga.Start(r.t.Context(), c, forward, "")
		require.ErrorIs(r.t, err, saga.ErrNotRunning)
		require.ErrorIs(r.t, c.Cancel(r.t.Context(), one.ID, "x"), saga.ErrNotRunning)

		r.faults.Store(false)
		next := r.begin(saga.Config{}, forward, backward)
		out, err := finished(r.t, saga.RunOf[string](next, one.ID))
		require.NoError(r.t, err)
		require.Equal(r.t, "a", out)
		_, err = finished(r.t, saga.RunOf[string](next, two.ID))
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
	})
}

// launch runs a coordinator until ctx ends, and returns what Run does.
func launch(t testing.TB, ctx context.Context, log domain.Log, cfg saga.Config, sagas ...saga.AnySaga) (*saga.Coordinator, <-chan error) {
	t.Helper()
	cfg.Log = log
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := saga.New(cfg)
	require.NoError(t, err)
	require.NoError(t, c.Register(sagas...))
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() { ended <- c.Run(ctx); close(gone) }()
	t.Cleanup(func() { stop(); <-gone })
	select {
	case <-c.Ready():
	case err := <-ended:
		t.Fatalf("Run ended early: %v", err)
	}
	return c, ended
}

// TestRunReturnsThoughAHandlerIsDeaf gives up on a handler that does not heed its context. It runs
// in real time: Watermill's router waits under a mutex, where a synctest bubble's clock stands
// still.
func TestRunReturnsThoughAHandlerIsDeaf(t *testing.T) {
	t.Parallel()
	doing, goOn := make(chan struct{}), make(chan struct{})
	a := &saga.Action[string, string]{Name: "deaf", Effect: saga.NoEffect, Do: func(context.Context, string) (string, error) {
		close(doing)
		<-goOn
		return "", nil
	}}
	s := chain("deaf", a)
	ctx, stop := context.WithCancel(context.Background())
	c, ended := launch(t, ctx, memlog.New(), saga.Config{ShutdownTimeout: 50 * time.Millisecond}, s)
	start(t, c, s, "")
	<-doing
	stop()
	select {
	case <-ended: // with the error that a handler did not return in time
	case <-time.After(time.Minute):
		t.Error("Run waits for a handler for ever")
	}
	close(goOn)
}

// readsFailOnce is a log whose next read of a stream fails.
type readsFailOnce struct {
	domain.Log
	fail atomic.Bool
}

func (l *readsFailOnce) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	if l.fail.CompareAndSwap(true, false) {
		return func(yield func(domain.Recorded, error) bool) { yield(domain.Recorded{}, errModel) }
	}
	return l.Log.ReadStream(ctx, stream, from)
}

// TestOutcomeOfTheLastMomentIsRecorded stops a coordinator while a do is under way that was given
// up and undone. It succeeds, and the log fails to tell its run just then: the success is recorded
// all the same, and undone.
func TestOutcomeOfTheLastMomentIsRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		log := &readsFailOnce{Log: r.plain}
		a := r.act("a")
		goOn := make(chan struct{})
		a.Timeout, a.Retry = time.Second, saga.Retry{MaxAttempts: 1}
		inner := a.Do
		a.Do = func(ctx context.Context, in string) (string, error) { <-goOn; return inner(ctx, in) }
		s := chain("late", a)
		ctx, stop := context.WithCancel(context.Background())
		c, ended := launch(t, ctx, log, saga.Config{}, s)
		run := start(t, c, s, "")
		_, err := finished(t, run)
		require.ErrorAs(t, err, new(*saga.CompensatedError))
		stop()
		synctest.Wait()
		log.fail.Store(true)
		close(goOn)
		require.NoError(t, <-ended)
		require.False(t, log.fail.Load())
		require.Equal(t, []string{"attempt.late.v1"}, r.events(run.ID, "attempt.late"))
		begin(t, log, saga.Config{}, s)
		sleepABit()
		require.Equal(t, []string{"undo a", "a", "undo a"}, r.called())
	})
}

// TestStopUnderFire stops a coordinator while callers start, signal, cancel and wait.
func TestStopUnderFire(t *testing.T) {
	t.Parallel()
	for range 20 {
		log := memlog.New()
		r := newRig(t, log)
		child := chain("child", r.act("c"))
		a := r.act("a")
		s := saga.Define("busy", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			x := saga.Do(f, a, in.In)
			saga.Child(f, child, x.In)
			saga.Sleep(f, time.Millisecond)
			return x
		})
		ctx, stop := context.WithCancel(context.Background())
		c, ended := launch(t, ctx, log, saga.Config{}, s)
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for {
					run, err := saga.Start(context.Background(), c, s, "")
					if err != nil {
						if !errors.Is(err, saga.ErrNotRunning) && !errors.Is(err, context.Canceled) {
							t.Errorf("start: %v", err)
						}
						return
					}
					_ = c.Signal(context.Background(), run.ID, "x", 1)
					_ = c.Cancel(context.Background(), run.ID, "x")
					_, _ = run.Wait(context.Background())
				}
			})
		}
		time.Sleep(5 * time.Millisecond) // stop in the middle
		stop()
		require.NoError(t, <-ended)
		callers.Wait()
		r.checkStreams()
	}
}
