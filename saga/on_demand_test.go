package saga_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

func TestCoordinatorOnDemandMovesOnlyWhatItIsAskedFor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var life, calls atomic.Int64
	entered := make(chan struct{}, 2)
	work := &saga.Action[int, int]{Name: "work", Undo: func(context.Context, saga.Did[int, int]) error { return nil }, Retry: fastRetry,
		Do: func(ctx context.Context, n int) (int, error) {
			if life.Load() == 0 {
				entered <- struct{}{}
				<-ctx.Done()
				return 0, ctx.Err()
			}
			calls.Add(1)
			return n + 1, nil
		}}
	s := saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, work, in.In) })
	log := memlog.New()
	first, stop := beginStoppable(t, log, saga.Config{}, nil, s)
	a, err := saga.Start(ctx, first, s, 1)
	require.NoError(t, err)
	b, err := saga.Start(ctx, first, s, 2)
	require.NoError(t, err)
	<-entered
	<-entered
	stop()

	life.Store(1)
	tool, stop := beginStoppable(t, log, saga.Config{OnDemand: true}, nil, s)
	own, err := saga.Start(ctx, tool, s, 10)
	require.NoError(t, err)
	n, err := own.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, 11, n)
	require.NoError(t, tool.Cancel(ctx, a.ID, "not wanted"))
	stop()
	require.EqualValues(t, 1, calls.Load(), "nothing but its own run was done")

	last := begin(t, log, saga.Config{}, s)
	n, err = saga.RunOf[int](last, b.ID).Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	_, err = saga.RunOf[int](last, a.ID).Wait(ctx)
	var cancelled *saga.CancelledError
	require.ErrorAs(t, err, &cancelled)
	v, err := last.Describe(ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, domain.RunIsCancelled, v.State)
}

// TestBulkOnDemandReachesRunsThatNobodyTookUp has a dry run with a condition that looks at the
// runs' steps, too.
func TestBulkOnDemandReachesRunsThatNobodyTookUp(t *testing.T) {
	t.Parallel()
	ctx, log, s := t.Context(), memlog.New(), waitsForGo()
	first, stop := beginStoppable(t, log, saga.Config{}, nil, s)
	for _, name := range []string{"one", "bad1", "bad2"} {
		run, err := saga.Start(ctx, first, s, order{name}, saga.Key(name))
		require.NoError(t, err)
		if name != "one" {
			_, err := run.Wait(ctx)
			require.Error(t, err)
		}
	}
	stop()

	tool, stop := beginStoppable(t, log, saga.Config{OnDemand: true}, nil, s)
	report, err := tool.Bulk(ctx, saga.BulkRequest{Act: saga.BulkPause, All: true, DryRun: true})
	require.NoError(t, err)
	require.Equal(t, 3, report.Matched)
	retry := saga.BulkRequest{Act: saga.BulkRetry, Filter: saga.BulkFilter{Action: "book"}, DryRun: true, Reason: "mended"}
	report, err = tool.Bulk(ctx, retry)
	require.NoError(t, err)
	require.Equal(t, 2, report.Matched)
	end := func() (p domain.Position) {
		for e, err := range log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{}) {
			require.NoError(t, err)
			return e.Position
		}
		return 0
	}
	before := end()
	_, err = tool.Bulk(ctx, retry)
	require.NoError(t, err)
	require.Equal(t, before, end(), "looking takes up nothing")
	retry.DryRun = false
	report, err = tool.Bulk(ctx, retry)
	require.NoError(t, err)
	require.Equal(t, 2, report.Done)
	stop()
}

// TestCoordinatorOnDemandGoesOnWithAttemptsThatDiedWithAnother has attempts that would not time out
// for a long while: nobody else can be running them.
func TestCoordinatorOnDemandGoesOnWithAttemptsThatDiedWithAnother(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var life, undone atomic.Int64
	entered := make(chan struct{}, 4)
	work := &saga.Action[int, int]{Name: "work", Retry: fastRetry, Timeout: time.Hour,
		Undo: func(context.Context, saga.Did[int, int]) error { undone.Add(1); return nil },
		Do: func(ctx context.Context, n int) (int, error) {
			if life.Load() == 0 {
				entered <- struct{}{}
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return n + 1, nil
		}}
	inner := saga.Define("inner", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, work, in.In) })
	outer := saga.Define("outer", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Child(f, inner, in.In) })
	log := memlog.New()
	first, stop := beginStoppable(t, log, saga.Config{}, nil, inner, outer)
	var ids []domain.RunID
	for n := range 3 {
		run, err := saga.Start(ctx, first, inner, n)
		require.NoError(t, err)
		ids = append(ids, run.ID)
	}
	parent, err := saga.Start(ctx, first, outer, 3)
	require.NoError(t, err)
	for range 4 {
		<-entered
	}
	stop()

	life.Store(1)
	tool, stop := beginStoppable(t, log, saga.Config{OnDemand: true}, nil, inner, outer)
	n, err := saga.RunOf[int](tool, ids[0]).Wait(ctx)
	require.NoError(t, err, "a run that is waited for goes on")
	require.Equal(t, 1, n)
	n, err = saga.RunOf[int](tool, parent.ID).Wait(ctx)
	require.NoError(t, err, "and so does one whose child's attempt died")
	require.Equal(t, 4, n)
	require.NoError(t, tool.Cancel(ctx, ids[1], "not wanted"))
	_, err = tool.Wait(ctx, ids[1])
	var cancelled *saga.CancelledError
	require.ErrorAs(t, err, &cancelled, "a lost attempt does not hold up a cancel")
	require.EqualValues(t, 1, undone.Load(), "what is in doubt is undone")
	v, err := tool.Describe(ctx, parent.ID)
	require.NoError(t, err)
	require.Equal(t, domain.RunIsCompleted, v.State)
	stop()

	state, err := saga.FoldAt(t.Context(), log, ids[2], saga.Latest)
	require.NoError(t, err)
	require.Equal(t, domain.RunRunning, explain.Describe(state).State, "nobody asked for this one")
	require.Equal(t, 1, explain.Describe(state).Steps[0].Attempts)
}
