package saga_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// TestLongRunGoesOnFromItsSnapshot stops a coordinator in the middle of a run that has snapshots,
// and finishes it with another.
func TestLongRunGoesOnFromItsSnapshot(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	work := &saga.Action[int, int]{Name: "work", Undo: func(context.Context, saga.Did[int, int]) error { return nil },
		Do: func(ctx context.Context, n int) (int, error) {
			if n < 150 {
				return 2 * n, nil
			}
			select {
			case <-gate:
				return 2 * n, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}, Retry: fastRetry}
	last := &saga.Action[[]int, int]{Name: "last", Effect: saga.NoEffect, Retry: fastRetry, Do: func(_ context.Context, all []int) (int, error) {
		sum := 0
		for _, n := range all {
			sum += n
		}
		if sum == 0 {
			return 0, errors.New("empty")
		}
		return sum, nil
	}}
	s := saga.Define("long", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		all := saga.Each(f, "item", func(v saga.Scope) []int {
			items := make([]int, in.In(v))
			for i := range items {
				items[i] = i
			}
			return items
		}, func(f *saga.Flow, item saga.Ref[int]) saga.Ref[int] { return saga.Do(f, work, item.In) }, saga.Concurrency(8))
		return saga.Do(f, last, all.In)
	})
	log := memlog.New()
	cfg := saga.Config{SnapshotEvery: 20, CacheRuns: 1}

	first, err := saga.New(saga.Config{Log: log, SnapshotEvery: 20})
	require.NoError(t, err)
	require.NoError(t, first.Register(s))
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- first.Run(ctx) }()
	run, err := saga.Start(t.Context(), first, s, 200)
	require.NoError(t, err)
	sagatest.UntilOn(t, log, run.ID, func(v explain.Run) bool { return v.Revision > 300 })
	kill()
	require.NoError(t, <-ended)

	snapshots := 0
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{Prefixes: []string{domain.SnapshotPrefix}}) {
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(e.Stream, run.ID.String()))
		snapshots++
	}
	require.Positive(t, snapshots)
	require.Less(t, snapshots, 10, "snapshots grow further apart")

	close(gate)
	second := begin(t, log, cfg, s)
	sum, err := saga.RunOf[int](second, run.ID).Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 200*199, sum)
	prev := domain.ChainHash{}
	for e, err := range log.ReadStream(t.Context(), domain.RunStream(run.ID), 0) {
		require.NoError(t, err)
		prev, err = domain.Verify(&e, prev)
		require.NoError(t, err)
	}
}
