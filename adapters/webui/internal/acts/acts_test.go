package acts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui/internal/acts"
	"github.com/atonehq/atone/domain"
)

// run is the id of the n-th run.
func run(n int) domain.RunID { return domain.RunID{15: byte(n)} }

// fates say what becomes of each run; a run without one goes on for as long as somebody waits.
type fates map[domain.RunID]func(ctx context.Context) error

func (f fates) wait(ctx context.Context, id domain.RunID) error {
	if fate := f[id]; fate != nil {
		return fate(ctx)
	}
	<-ctx.Done()
	return ctx.Err()
}

func always(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func stuck(cause string) func(context.Context) error {
	return always(fmt.Errorf("wait: %w", &domain.StuckError{Step: "pay", Cause: &domain.Failure{Message: cause}}))
}

// note notes that the act was done to the runs.
func note(a *acts.Act, runs ...int) {
	for _, n := range runs {
		a.Note(domain.BulkResult{Run: run(n), Saga: "order", State: domain.RunIsStuck, Done: true})
	}
}

// only returns the one act of ann.
func only(t *testing.T, b *acts.Book) acts.Told {
	t.Helper()
	all := b.Of("ann")
	require.Len(t, all, 1)
	return all[0]
}

// TestAnActTellsWhatBecameOfItsRuns, by cause: messages that differ in a number are one.
func TestAnActTellsWhatBecameOfItsRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{})
		f := fates{
			run(1): always(nil), run(2): always(&domain.CompensatedError{}), run(3): always(&domain.CancelledError{}), run(4): always(&domain.AbandonedError{}),
			run(5): stuck("card 5 gone"), run(6): stuck("card 6 gone"), run(7): stuck("no answer"),
			run(8): func(context.Context) error { <-back; return nil },
		}
		b := acts.New(f.wait, time.Now)
		a := b.Begin(t.Context(), "ann", domain.BulkRetry, "the bank is back", 9)
		require.Equal(t, "0 retried of 9", only(t, b).Say)
		note(a, 1, 2, 3, 4, 5, 6, 7, 8)
		a.Note(domain.BulkResult{Run: run(9), Saga: "order", Error: "it has ended"})
		a.End(false, nil)
		synctest.Wait()
		told := only(t, b)
		require.Equal(t, "8 retried: 4 done, 1 going on, 3 stuck again: card # gone (2), no answer (1); 1 refused", told.Say)
		require.Equal(t, "the bank is back", told.Reason)
		require.True(t, told.Live)
		require.True(t, told.Bad)
		require.Len(t, told.Runs, 8)
		for i, want := range []domain.RunState{domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled, domain.RunIsAbandoned, domain.RunIsStuck} {
			require.Equal(t, want, told.Runs[i].State)
		}
		require.Equal(t, "card 5 gone", told.Runs[4].Why)
		require.True(t, told.Runs[7].GoesOn)
		require.Len(t, told.Refused, 1)
		require.Equal(t, "it has ended", told.Refused[0].Why)
		close(back)
		synctest.Wait()
		told = only(t, b)
		require.Equal(t, "8 retried: 5 done, 3 stuck again: card # gone (2), no answer (1); 1 refused", told.Say)
		require.False(t, told.Live)
	})
}

// TestOnlyWhatCanComeOfAnActIsFollowed: nothing more comes of a pause, nor of an abandoned run.
func TestOnlyWhatCanComeOfAnActIsFollowed(t *testing.T) {
	t.Parallel()
	for act, want := range map[domain.BulkAct]string{domain.BulkPause: "2 paused", domain.BulkAbandon: "2 abandoned"} {
		b := acts.New(func(context.Context, domain.RunID) error { panic("followed") }, time.Now)
		a := b.Begin(t.Context(), "ann", act, "", 2)
		note(a, 1, 2)
		a.End(false, nil)
		told := only(t, b)
		require.Equal(t, want, told.Say)
		require.False(t, told.Live || told.Bad)
	}
	synctest.Test(t, func(t *testing.T) {
		b := acts.New(fates{run(1): stuck("card_gone"), run(2): always(nil)}.wait, time.Now)
		a := b.Begin(t.Context(), "ann", domain.BulkCancel, "", 2)
		note(a, 1, 2)
		a.End(false, nil)
		synctest.Wait()
		require.Equal(t, "2 cancelled: 1 done, 1 stuck: card_gone", only(t, b).Say, "who cancels has not retried it")
	})
}

// TestASlowActSaysHowFarItIs: at its rate, or until it stops after too many failures.
func TestASlowActSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fates{}
		for n := range 8 {
			f[run(n)] = stuck("card_gone")
		}
		b := acts.New(f.wait, time.Now)
		a := b.Begin(t.Context(), "ann", domain.BulkRetry, "", 8)
		a.Do(func(context.Context) (bool, error) {
			for n := range 3 {
				note(a, n)
				time.Sleep(time.Second)
			}
			return true, nil
		})
		for n := range 3 {
			synctest.Wait()
			told := only(t, b)
			require.Equal(t, fmt.Sprintf("%d retried of 8: %d stuck again: card_gone", n+1, n+1), told.Say)
			require.True(t, told.Live)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		told := only(t, b)
		require.Equal(t, "3 retried: 3 stuck again: card_gone; stopped after so many failures, 5 left alone", told.Say)
		require.False(t, told.Live)
	})
}

// TestARunThatCantBeFollowedConcernsItselfAlone: it is gone, its coordinator panics, or never
// answers. The others are told, and the book answers at once.
func TestARunThatCantBeFollowedConcernsItselfAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := fates{
			run(1): always(nil), run(2): always(fmt.Errorf("run 2: %w", domain.ErrNotFound)),
			run(3): func(context.Context) error { panic("nil map") },
			// Whatever the context says:
			run(4): func(context.Context) error { <-release; return errors.New("too late") },
			run(5): stuck("card_gone"),
		}
		b := acts.New(f.wait, time.Now)
		a := b.Begin(t.Context(), "ann", domain.BulkRetry, "", 6)
		note(a, 1, 2, 3, 4, 5, 6)
		a.End(false, nil)
		synctest.Wait()
		told := only(t, b)
		require.Equal(t, "6 retried: 1 done, 2 going on, 1 stuck again: card_gone, 2 could not be followed", told.Say)
		require.True(t, told.Bad)
		require.True(t, told.Runs[1].Unknown && told.Runs[2].Unknown)
		require.Contains(t, told.Runs[1].Why, domain.ErrNotFound.Error())
		require.Equal(t, "it panicked: nil map", told.Runs[2].Why)
		require.True(t, told.Live)

		time.Sleep(10 * time.Minute)
		synctest.Wait()
		told = only(t, b)
		require.False(t, told.Live, "nobody follows it any longer")
		require.True(t, told.Runs[3].GoesOn && told.Runs[5].GoesOn)
		close(release)
		synctest.Wait()
		require.True(t, only(t, b).Runs[3].GoesOn, "what comes after that is not told")
	})
}

// TestAnActThatPanicsEndsWithoutTheProgram, and so does one that fails.
func TestAnActThatPanicsEndsWithoutTheProgram(t *testing.T) {
	t.Parallel()
	for want, do := range map[string]func(context.Context) (bool, error){
		"it panicked: nil map":      func(context.Context) (bool, error) { panic("nil map") },
		"the log does not answer":   func(context.Context) (bool, error) { return false, errors.New("the log does not answer") },
		"it panicked: the log said": func(context.Context) (bool, error) { panic(errors.New("the log said")) },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := acts.New(fates{run(1): always(nil)}.wait, time.Now)
			a := b.Begin(t.Context(), "ann", domain.BulkResume, "", 3)
			note(a, 1)
			a.Do(do)
			synctest.Wait()
			told := only(t, b)
			require.Equal(t, want, told.Problem)
			require.Equal(t, "1 resumed: 1 done", told.Say)
			require.True(t, told.Bad)
			require.False(t, told.Live)
		})
	}
}

// TestADismissedActGoesOn, and is told no more, nor followed.
func TestADismissedActGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		followed := 1
		b := acts.New(func(ctx context.Context, _ domain.RunID) error {
			<-ctx.Done()
			followed--
			return ctx.Err()
		}, time.Now)
		a := b.Begin(t.Context(), "ann", domain.BulkRetry, "", 2)
		note(a, 1)
		var done error
		a.Do(func(ctx context.Context) (bool, error) {
			time.Sleep(time.Second)
			done = ctx.Err()
			return false, nil
		})
		synctest.Wait()
		id := only(t, b).ID
		_, ok := b.Told("bob", id)
		require.False(t, ok, "nobody else is told")
		b.Dismiss("bob", id)
		_, ok = b.Told("ann", id)
		require.True(t, ok, "nobody else dismisses it")
		b.Dismiss("ann", id)
		b.Dismiss("ann", id)
		require.Empty(t, b.Of("ann"))
		synctest.Wait()
		require.Zero(t, followed)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.NoError(t, done)
	})
}

// TestTheNewestActsAreKept: a person has the newest twenty, and each of them says little.
func TestTheNewestActsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fates{}
		for n := range 6 {
			f[run(n)] = stuck(strings.Repeat(string(rune('a'+n)), 500))
		}
		b := acts.New(f.wait, time.Now)
		for n := range 25 {
			a := b.Begin(t.Context(), "ann", domain.BulkSkip, fmt.Sprint(n), 6)
			note(a, 0, 1, 2, 3, 4, 5)
			a.End(false, nil)
		}
		synctest.Wait()
		all := b.Of("ann")
		require.Len(t, all, 20)
		require.Equal(t, "24", all[0].Reason)
		require.Equal(t, "5", all[19].Reason)
		require.Contains(t, all[0].Say, " and 3 more")
		require.Less(t, len(all[0].Say), 300)
		require.LessOrEqual(t, len([]rune(all[0].Runs[0].Why)), 300)
	})
}
