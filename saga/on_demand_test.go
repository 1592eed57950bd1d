package saga_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
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
	var cancelled *saga.Cancelled
	require.ErrorAs(t, err, &cancelled)
	v, err := last.Describe(ctx, a.ID)
	require.NoError(t, err)
	require.Equal(t, domain.RunIsCancelled, v.State)
}
