package saga_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest"
)

// fastRetry keeps tests from waiting.
var fastRetry = saga.Retry{MaxAttempts: 3, Initial: time.Millisecond, Max: time.Millisecond, Jitter: saga.JitterNone}

// begin runs a coordinator over the log until the test ends.
func begin(t testing.TB, log domain.Log, cfg saga.Config, sagas ...saga.AnySaga) *saga.Coordinator {
	t.Helper()
	cfg.Log = log
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := saga.New(cfg)
	require.NoError(t, err)
	require.NoError(t, c.Register(sagas...))
	runUntilCleanup(t, c)
	return c
}

// finishedLater waits for a run that need not have begun yet, such as that of a trigger, and
// returns its output, or how it ended otherwise.
func finishedLater[Out any](t testing.TB, c *saga.Coordinator, log domain.Log, id domain.RunID) (Out, error) {
	t.Helper()
	sagatest.UntilOn(t, log, id, nil)
	return finished(t, saga.RunOf[Out](c, id))
}

// eventually waits for what nothing tells of: a number that a coordinator counts by itself.
func eventually(t testing.TB, cond func() bool, why ...any) {
	t.Helper()
	require.Eventually(t, cond, 2*time.Minute, time.Millisecond, why...)
}

// runUntilCleanup runs a coordinator until the test ends.
func runUntilCleanup(t testing.TB, c *saga.Coordinator) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	select {
	case <-c.Ready():
	case err := <-ended:
		ended <- err
		require.NoError(t, err, "Run ended early")
	}
}

type order struct{ ID string }

func TestRunCompletesWithItsOutput(t *testing.T) {
	t.Parallel()
	double := &saga.Action[int, int]{Name: "double", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return 2 * n, nil }}
	s := saga.Define("twice", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		a := saga.Do(f, double, func(v saga.Scope) int { return in.In(v) })
		return saga.Do(f, double, func(v saga.Scope) int { return a.In(v) + 1 }, saga.Name("again"))
	})
	c := begin(t, memlog.New(), saga.Config{}, s)
	run, err := saga.Start(t.Context(), c, s, 5)
	require.NoError(t, err)
	out, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 22, out)
}

func TestFailedRunIsUndoneInReverse(t *testing.T) {
	t.Parallel()
	var undone []string
	act := func(name string, fail bool) *saga.Action[order, order] {
		return &saga.Action[order, order]{Name: name, Retry: fastRetry,
			Do: func(_ context.Context, o order) (order, error) {
				if fail {
					return o, errors.New("no")
				}
				return order{o.ID + name}, nil
			},
			Undo: func(_ context.Context, d saga.Did[order, order]) error {
				undone = append(undone, name+":"+d.Output.ID)
				return nil
			}}
	}
	a, b, x := act("a", false), act("b", false), act("x", true)
	s := saga.Define("doomed", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[order] {
		r := saga.Do(f, a, in.In)
		r = saga.Do(f, b, r.In)
		return saga.Do(f, x, r.In)
	})
	c := begin(t, memlog.New(), saga.Config{}, s)
	run, err := saga.Start(t.Context(), c, s, order{"1"})
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	var comp *saga.CompensatedError
	require.ErrorAs(t, err, &comp)
	require.Equal(t, "x", comp.Cause.Step)
	require.Equal(t, []string{"x:", "b:1ab", "a:1a"}, undone, "x did not say that nothing was done")
	v, err := c.Describe(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, domain.RunIsCompensated, v.State)
}
