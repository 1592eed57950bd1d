package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/bulk"
)

// some are n stuck runs, of which those that broken names are stuck again, and those that refusing
// names refuse; acted counts the acts.
func some(n int, broken, refusing func(i int) bool) (runs *bulk.Runs, acted *int) {
	acted = new(int)
	list := make(map[domain.RunID]domain.RunState, n)
	number := make(map[domain.RunID]int, n)
	for i := range n {
		id := domain.RunID{byte(i / 256), byte(i)}
		list[id], number[id] = domain.RunIsStuck, i
	}
	return &bulk.Runs{Now: time.Now,
		Unfinished: func(context.Context) (map[domain.RunID]domain.RunState, error) { return list, nil },
		Started: func(_ context.Context, run domain.RunID) (*domain.RunStarted, time.Time, error) {
			return &domain.RunStarted{Saga: "order", Version: 1}, time.Unix(int64(number[run]), 0), nil
		},
		Unreadable: func(domain.RunID, error) bool { return false },
		Why: func(context.Context, domain.RunID) (explain.Reason, error) {
			return explain.Reason{Standing: explain.Paused}, nil
		},
		Act: func(_ context.Context, run domain.RunID, _ string, _ *domain.BulkRequest) error {
			*acted++
			if refusing(number[run]) {
				return errors.New("refused")
			}
			return nil
		},
		Wait: func(ctx context.Context, run domain.RunID) error {
			if broken(number[run]) {
				return &domain.StuckError{Run: run, Step: "charge", Cause: &domain.Failure{Message: "card_gone"}}
			}
			<-ctx.Done() // it goes on for longer than anybody waits
			return ctx.Err()
		}}, acted
}

func never(int) bool  { return false }
func always(int) bool { return true }

// TestBulkStopsAfterSoManyFailures: what comes after them is left alone.
func TestBulkStopsAfterSoManyFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		broken, refusing      func(int) bool
		acted, done, again, n int
	}{
		"stuck again": {always, never, 3, 3, 3, 3},
		"refused":     {never, always, 3, 0, 0, 3},
		"every other": {func(i int) bool { return i%2 == 1 }, never, 6, 6, 3, 6},
		"none fails":  {never, never, 10, 10, 0, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				runs, acted := some(10, c.broken, c.refusing)
				report, err := bulk.Do(t.Context(), runs, &domain.BulkRequest{Act: domain.BulkRetry, All: true, StopAfter: 3})
				require.NoError(t, err)
				require.Equal(t, c.acted, *acted)
				require.Equal(t, c.done, report.Done)
				require.Equal(t, c.again, report.StuckAgain)
				require.Len(t, report.Results, c.n)
				require.Equal(t, c.n < 10, report.Stopped)
				require.Equal(t, c.n < 10, report.More)
				require.Equal(t, 10, report.Matched)
			})
		})
	}
}

// TestBulkKeepsItsRate: ten runs at two in a second take four and a half seconds, and what the time
// cuts off is left for the next call.
func TestBulkKeepsItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runs, acted := some(10, never, never)
		began := time.Now()
		_, err := bulk.Do(t.Context(), runs, &domain.BulkRequest{Act: domain.BulkRetry, All: true, Rate: 2})
		require.NoError(t, err)
		require.Equal(t, 4500*time.Millisecond, time.Since(began))
		require.Equal(t, 10, *acted)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		report, _ := bulk.Do(ctx, runs, &domain.BulkRequest{Act: domain.BulkRetry, All: true, Rate: 2})
		require.True(t, report.More)
		require.Less(t, report.Done, 4)
	})
}

// TestADryRunForeseesTheFirstRuns: of more it says how many it looked at.
func TestADryRunForeseesTheFirstRuns(t *testing.T) {
	t.Parallel()
	runs, acted := some(250, never, never)
	runs.Act = func(ctx context.Context, run domain.RunID, _ string, _ *domain.BulkRequest) error {
		require.True(t, bulk.Dry(ctx))
		if run == (domain.RunID{0, 3}) || run == (domain.RunID{0, 240}) {
			return fmt.Errorf("cancel run %s: it is past its pivot", run)
		}
		return nil
	}
	runs.Preview = func(_ context.Context, run domain.RunID) (explain.Preview, error) {
		return explain.Preview{Steps: []explain.PreviewStep{{Do: explain.MoveUndo, Action: "b", InDoubt: true}, {Do: explain.MoveUndo, Action: "a"}, {Do: explain.MoveUndo, Action: "a"},
			{Do: explain.MoveAwait, Action: "c"}, {Do: explain.MoveUndoChild}, {Do: explain.MoveStuck}}}, nil
	}
	report, err := bulk.Do(t.Context(), runs, &domain.BulkRequest{Act: domain.BulkCancel, All: true, DryRun: true})
	require.NoError(t, err)
	require.Zero(t, *acted)
	require.Len(t, report.Results, 250)
	require.Equal(t, &domain.BulkUndo{Runs: 200, Actions: []domain.ActionUndos{{Action: "a", Undos: 398}, {Action: "b", Undos: 199, InDoubt: 199}}, Children: 199, Stuck: 199}, report.Undo)
	require.Equal(t, 2, report.Failed, "every run is asked")
	require.Equal(t, "it is past its pivot", report.Results[3].Error)
	require.Equal(t, "it is past its pivot", report.Results[240].Error)
	require.Zero(t, report.Done)
	require.Equal(t, "paused", report.Results[240].Standing)
}

// TestEachIsToldOfEveryRun, and of the chosen steps alone something is done.
func TestEachIsToldOfEveryRun(t *testing.T) {
	t.Parallel()
	for _, pace := range []float64{0, 1e6} {
		runs, _ := some(20, never, func(i int) bool { return i == 7 })
		var steps []string
		runs.Act = func(_ context.Context, run domain.RunID, step string, _ *domain.BulkRequest) error {
			if run == (domain.RunID{0, 7}) {
				return errors.New("refused")
			}
			if run == (domain.RunID{0, 8}) {
				steps = append(steps, step)
			}
			return nil
		}
		told := map[domain.RunID]string{}
		_, err := bulk.Do(t.Context(), runs, &domain.BulkRequest{Act: domain.BulkRetry, All: true, Rate: pace,
			Filter: domain.BulkFilter{Steps: map[domain.RunID][]string{{0, 8}: {"ship", "pay"}}},
			Each:   func(r domain.BulkResult) { told[r.Run] = r.Error }})
		require.NoError(t, err)
		require.Len(t, told, 20)
		require.Equal(t, "refused", told[domain.RunID{0, 7}])
		require.Equal(t, []string{"ship", "pay"}, steps)
	}
}

// TestAnActThatPanicsOrHangsHoldsUpNoOtherRun, at once or one after the other.
func TestAnActThatPanicsOrHangsHoldsUpNoOtherRun(t *testing.T) {
	t.Parallel()
	for name, pace := range map[string]float64{"at once": 0, "in turn": 1e6} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				runs, _ := some(20, never, never)
				release := make(chan struct{})
				defer close(release)
				runs.Act = func(ctx context.Context, run domain.RunID, _ string, _ *domain.BulkRequest) error {
					switch run {
					case domain.RunID{0, 3}:
						panic("nil map")
					case domain.RunID{0, 4}:
						<-release // whatever the context says
					case domain.RunID{0, 5}:
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				}
				report, err := bulk.Do(t.Context(), runs, &domain.BulkRequest{Act: domain.BulkRetry, All: true, Rate: pace})
				require.NoError(t, err)
				require.Equal(t, 17, report.Done)
				require.Equal(t, 3, report.Failed)
				require.Equal(t, "the act panicked: nil map", report.Results[3].Error)
				for _, hung := range report.Results[4:6] {
					require.Contains(t, hung.Error, "no answer within 1m0s: it is not known whether it was done")
				}
			})
		})
	}
}

// TestNamedStepsStandForThemselves: a run below the one whose steps are named is left alone.
func TestNamedStepsStandForThemselves(t *testing.T) {
	t.Parallel()
	above, below := domain.RunID{0, 0}, domain.RunID{0, 1}
	for name, steps := range map[string]map[domain.RunID][]string{"all of the run": nil, "one step": {above: {"pay"}}} {
		runs, _ := some(2, never, never)
		runs.Act = func(context.Context, domain.RunID, string, *domain.BulkRequest) error { return nil }
		started := runs.Started
		runs.Started = func(ctx context.Context, run domain.RunID) (*domain.RunStarted, time.Time, error) {
			s, at, err := started(ctx, run)
			if run == below {
				s.Parent = &domain.ParentRef{Run: above, Step: "child"}
			}
			return s, at, err
		}
		report, err := bulk.Do(t.Context(), runs, &domain.BulkRequest{Act: domain.BulkRetry, Filter: domain.BulkFilter{Runs: []domain.RunID{above}, Steps: steps}})
		require.NoError(t, err)
		require.Equal(t, 2-len(steps), report.Done, name)
	}
}

// TestBulkGoesOnAfterARun, of which it does not matter whether it still matches.
func TestBulkGoesOnAfterARun(t *testing.T) {
	t.Parallel()
	runs, acted := some(10, never, never)
	first, err := bulk.Do(t.Context(), runs, &domain.BulkRequest{Act: domain.BulkRetry, All: true, Rate: 1e6, Limit: 4})
	require.NoError(t, err)
	require.True(t, first.More)
	rest, err := bulk.Do(t.Context(), runs, &domain.BulkRequest{Act: domain.BulkRetry, All: true, Rate: 1e6, After: first.Results[3].Run})
	require.NoError(t, err)
	require.Equal(t, 6, rest.Matched)
	require.Equal(t, domain.RunID{0, 4}, rest.Results[0].Run)
	require.Equal(t, 10, *acted)
}
