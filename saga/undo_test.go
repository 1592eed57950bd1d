package saga_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
)

// TestItemThatAnEachDoesWithoutIsUndoneForItsCause: the handler of its undo is told why.
func TestItemThatAnEachDoesWithoutIsUndoneForItsCause(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a, b := r.act("a"), r.act("b")
		causes := make(chan error, 10)
		a.Undo = func(ctx context.Context, did saga.Did[string, string]) error { causes <- did.Cause; return nil }
		s := saga.Define("items", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[[]string] {
			return saga.Each(f, "each", func(saga.Scope) []string { return []string{"x", "y"} }, func(f *saga.Flow, item saga.Ref[string]) saga.Ref[string] {
				did := saga.Do(f, a, item.In)
				return saga.Do(f, b, did.In)
			}, saga.Tolerate(1), saga.Concurrency(1)).Ref
		})
		r.fails("b", saga.Permanent(errModel))
		c := r.begin(saga.Config{}, s)
		_, err := finished(r.t, start(r.t, c, s, ""))
		require.NoError(r.t, err)
		require.ErrorContains(r.t, <-causes, errModel.Error())
	})
}

// TestAbandoningCutsNeitherUndosNorFailureHandlersShort: they end by themselves, and their outcomes
// are recorded.
func TestAbandoningCutsNeitherUndosNorFailureHandlersShort(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		var running sync.WaitGroup
		running.Add(2)
		goOn, ended := make(chan struct{}), make(chan error, 2)
		a, b := r.act("a"), r.act("b")
		a.Undo = func(ctx context.Context, did saga.Did[string, string]) error {
			running.Done()
			<-goOn
			ended <- ctx.Err()
			return nil
		}
		b.OnFailure = &saga.Action[saga.Failed, saga.None]{Name: "tell", Effect: saga.NoEffect, Do: func(ctx context.Context, in saga.Failed) (saga.None, error) {
			running.Done()
			<-goOn
			ended <- ctx.Err()
			return saga.None{}, nil
		}}
		r.fails("b", saga.Permanent(errModel))
		s := chain("abandoned", a, b)
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		running.Wait()
		require.NoError(r.t, c.Abandon(r.t.Context(), run.ID, "never mind"))
		synctest.Wait()
		close(goOn)
		require.NoError(r.t, <-ended)
		require.NoError(r.t, <-ended)
		sleepABit()
		require.Zero(r.t, c.UnfinishedRuns())
		require.Equal(r.t, []string{"attempt.late.v1"}, r.events(run.ID, "attempt.late"), "the undo that was given up reports")
	})
}
