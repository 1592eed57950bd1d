package saga_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// impatient is one saga, under the policy of one deploy.
func impatient(retry saga.Retry, timeout time.Duration) *saga.Saga[int, int] {
	work := &saga.Action[int, int]{Name: "work", Effect: saga.NoEffect, Retry: retry, Timeout: timeout,
		Do: func(ctx context.Context, n int) (int, error) {
			if a := saga.AttemptOf(ctx); a.Number < n {
				return 0, errors.New("not yet")
			}
			return n, nil
		}}
	return saga.Define("impatient", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, work, in.In) })
}

func attemptsOf(t *testing.T, log domain.Log, run domain.RunID) (plan string, started []*domain.AttemptStarted) {
	t.Helper()
	for r, err := range log.ReadStream(t.Context(), domain.RunStream(run), 0) {
		require.NoError(t, err)
		f, err := domain.DecodeFact(&r)
		require.NoError(t, err)
		switch e := f.Event.(type) {
		case *domain.RunStarted:
			plan = e.Plan
		case *domain.AttemptStarted:
			started = append(started, e)
		case *domain.RunBlocked:
			require.Fail(t, "the run was blocked", e.Reason)
		}
	}
	return plan, started
}

// TestPoliciesChangeWithoutANewVersion: a run that was started under two attempts goes on under a
// program with five and another timeout. Its events say so, and new runs have the plan that the log
// lists.
func TestPoliciesChangeWithoutANewVersion(t *testing.T) {
	t.Parallel()
	slow := saga.Retry{MaxAttempts: 2, Initial: time.Hour, Max: time.Hour, Multiplier: 1, Jitter: saga.JitterNone}
	old := impatient(slow, 10*time.Second)
	k := sagatest.New(t, old)
	log := k.Log()
	run := sagatest.Start(k, old, 4)
	run.Until(func(v explain.Run) bool { return !v.Steps[0].RetryAt.IsZero() })

	quick := saga.Retry{MaxAttempts: 5, Initial: time.Millisecond, Max: time.Millisecond, Multiplier: 1, Jitter: saga.JitterNone}
	deployed := impatient(quick, 20*time.Second)
	k.Deploy(sagatest.Setup{Sagas: []saga.AnySaga{deployed}})
	began := k.Now()
	run.Completed()
	require.Greater(t, k.Now(), began.Add(time.Hour), "the second attempt's time was decided under the old policy")
	plan, started := attemptsOf(t, log, run.ID)
	require.Len(t, started, 4)
	require.Nil(t, started[0].InForce, "it was the plan's")
	for _, e := range started[1:] {
		require.NotNil(t, e.InForce)
		require.Equal(t, 5, e.InForce.Retry.MaxAttempts)
		require.Equal(t, domain.Duration(20*time.Second), e.InForce.Timeout)
	}
	again, err := saga.FoldAt(t.Context(), log, run.ID, saga.Latest)
	require.NoError(t, err)
	require.Equal(t, domain.RunIsCompleted, again.Status(), "a reader that has no program folds the same")

	next := sagatest.Start(k, deployed, 1)
	next.Completed()
	same, _ := attemptsOf(t, log, next.ID)
	require.Equal(t, plan, same, "both programs start runs of one plan")
}

// TestNodesOfTwoPoliciesDoNotFight: one log, two deploys of one version. The version is listed
// once, no run is blocked, and each node goes on with the runs of the other.
func TestNodesOfTwoPoliciesDoNotFight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		retry := saga.Retry{MaxAttempts: 3, Initial: time.Millisecond, Max: time.Millisecond, Multiplier: 1, Jitter: saga.JitterNone}
		old := impatient(retry, 10*time.Second)
		retry.MaxAttempts = 5
		deployed := impatient(retry, 20*time.Second)
		one, two := begin(t, log, node("one"), old), begin(t, log, node("two"), deployed)
		plans := map[string]bool{}
		for i := range 10 {
			for _, run := range []*saga.Run[int]{start(t, one, old, 1+i%3), start(t, two, deployed, 1+i%5)} {
				_, err := finished(t, run)
				require.NoError(t, err)
				plan, _ := attemptsOf(t, log, run.ID)
				plans[plan] = true
			}
		}
		require.Len(t, plans, 1)
		listed := 0
		for _, err := range log.ReadStream(t.Context(), "atone-saga-impatient", 0) {
			require.NoError(t, err)
			listed++
		}
		require.Equal(t, 1, listed)
	})
}
