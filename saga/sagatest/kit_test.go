package sagatest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

type purchase struct {
	ID    string `json:"id"`
	Total int    `json:"total"`
}

type receipt struct {
	Charge string `json:"charge"`
}

var (
	reserveItems = &saga.Action[purchase, saga.None]{
		Name: "reserve-items",
		Do:   func(context.Context, purchase) (saga.None, error) { return saga.None{}, errReal },
		Undo: func(context.Context, saga.Did[purchase, saga.None]) error { return errReal },
	}
	chargeCard = &saga.Action[purchase, receipt]{
		Name:  "charge-card",
		Do:    func(context.Context, purchase) (receipt, error) { return receipt{}, errReal },
		Undo:  func(context.Context, saga.Did[purchase, receipt]) error { return errReal },
		Probe: func(context.Context, purchase) (saga.Probed[receipt], error) { return saga.Unknown[receipt](), errReal },
		Retry: saga.Retry{MaxAttempts: 3, Initial: time.Hour, Max: 24 * time.Hour},
	}
	errReal = errors.New("the author's own function was called")

	checkout = saga.Define("checkout", 1, func(f *saga.Flow, in saga.Ref[purchase]) saga.Ref[receipt] {
		saga.Do(f, reserveItems, in.In)
		return saga.Do(f, chargeCard, in.In)
	})
	approved = saga.Define("approved", 1, func(f *saga.Flow, in saga.Ref[purchase]) saga.Ref[bool] {
		saga.Do(f, reserveItems, in.In)
		return saga.Await[bool](f, "approval", saga.Within(30*24*time.Hour), saga.DefaultTo(false))
	})
)

// everywhere runs a test outside and inside a bubble.
func everywhere(t *testing.T, f func(t *testing.T)) {
	t.Parallel()
	t.Run("outside", func(t *testing.T) { t.Parallel(); f(t) })
	t.Run("in a bubble", func(t *testing.T) { t.Parallel(); synctest.Test(t, f) })
}

func TestAnApprovalThatIsDueInAMonth(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		k := sagatest.New(t, approved)
		sagatest.StandFor(k, reserveItems)
		began := k.Now()

		run := sagatest.Start(k, approved, purchase{ID: "1"})
		w := run.WaitsFor("approval")
		require.Equal(t, began.Add(30*24*time.Hour), w.Until)
		k.Advance(29 * 24 * time.Hour)
		run.WaitsFor("approval")
		run.Signal("approval", true)
		require.True(t, run.Completed())

		late := sagatest.Start(k, approved, purchase{ID: "2"})
		late.WaitsFor("approval")
		k.Advance(30 * 24 * time.Hour)
		require.False(t, late.Completed())
		require.Equal(t, began.Add(59*24*time.Hour), k.Now())

		third := sagatest.Start(k, approved, purchase{ID: "3"})
		require.False(t, third.Completed(), "time passes while it waits for the end")
	})
}

func TestStandInsAnswerAsTheyAreTold(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		k := sagatest.New(t, checkout)
		items := sagatest.StandFor(k, reserveItems)
		card := sagatest.StandFor(k, chargeCard).Return(receipt{"c-1"}).Fail(2, errors.New("the bank is closed"))

		run := sagatest.Start(k, checkout, purchase{ID: "1", Total: 7})
		require.Equal(t, receipt{"c-1"}, run.Completed())
		calls := card.Calls()
		require.Len(t, calls, 3)
		require.Equal(t, purchase{ID: "1", Total: 7}, calls[2].Input)
		require.Equal(t, calls[0].Key, calls[2].Key)
		require.Equal(t, 3, calls[2].Number)
		require.Equal(t, []receipt{{"c-1"}}, card.Effects())

		card.Refuse(errors.New("no money"))
		run = sagatest.Start(k, checkout, purchase{ID: "2"})
		require.Equal(t, "charge-card", run.Compensated().Cause.Step)
		require.Len(t, items.Effects(), 1, "that of the first run")
		undo := items.Calls()[2]
		require.Equal(t, domain.Undo, undo.Direction)
		require.Equal(t, "2", undo.Input.ID)

		items.RefuseUndo(errors.New("the warehouse burnt down"))
		run = sagatest.Start(k, checkout, purchase{ID: "3"})
		require.ErrorContains(t, run.Stuck(), "burnt down")
		items.RefuseUndo(nil)
		run.Retry("", "rebuilt")
		run.Compensated()
	})
}

func TestATimeOutWithItsEffectIsFoundByTheProbe(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		k := sagatest.New(t, checkout)
		sagatest.StandFor(k, reserveItems)
		card := sagatest.StandFor(k, chargeCard).Return(receipt{"c-1"}).TimeOutDone(1)
		require.Equal(t, receipt{"c-1"}, sagatest.Start(k, checkout, purchase{}).Completed())
		require.Equal(t, []domain.Direction{domain.Do, domain.Probe}, directions(card.Calls()))
		require.Equal(t, []receipt{{"c-1"}}, card.Effects())

		card.TimeOut(1)
		sagatest.Start(k, checkout, purchase{}).Completed()
		require.Equal(t, []domain.Direction{domain.Do, domain.Probe, domain.Do}, directions(card.Calls()[2:]))
	})
}

func directions[In, Out any](calls []sagatest.Call[In, Out]) (all []domain.Direction) {
	for _, c := range calls {
		all = append(all, c.Direction)
	}
	return all
}

func TestACancelWhileAStandInIsBlocked(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		k := sagatest.New(t, checkout)
		items := sagatest.StandFor(k, reserveItems)
		card := sagatest.StandFor(k, chargeCard).Block()
		run := sagatest.Start(k, checkout, purchase{})
		run.UntilCalled("charge-card")
		require.Equal(t, explain.ForOutcome, run.Waits().WaitsFor)
		run.Cancel("changed my mind")
		require.ErrorContains(t, run.Cancelled(), "changed my mind")
		require.Empty(t, items.Effects())
		require.Empty(t, card.Effects())

		run = sagatest.Start(k, checkout, purchase{})
		run.UntilCalled("charge-card")
		card.Release()
		run.Completed()
	})
}

func TestACrashLosesWhatIsInFlight(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		k := sagatest.New(t, checkout)
		sagatest.StandFor(k, reserveItems)
		card := sagatest.StandFor(k, chargeCard).Return(receipt{"c-1"}).Block()
		run := sagatest.Start(k, checkout, purchase{})
		run.UntilCalled("charge-card")
		before := k.Coordinator()
		k.Crash()
		require.NotSame(t, before, k.Coordinator())
		card.Release()
		require.Equal(t, receipt{"c-1"}, run.Completed())
		calls := card.Calls()
		require.Equal(t, []domain.Direction{domain.Do, domain.Probe, domain.Do}, directions(calls))
		require.Equal(t, calls[0].Key, calls[2].Key)
		require.Contains(t, run.Story(), "lost")
	})
}

func TestEventsStartAndWakeRuns(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		paid := saga.Define("paid", 1, func(f *saga.Flow, in saga.Ref[purchase]) saga.Ref[int] {
			return saga.AwaitEvent[int](f, "money.came", func(v saga.Scope) string { return in.In(v).ID })
		})
		k := sagatest.NewWith(t, sagatest.Setup{Sagas: []saga.AnySaga{paid}, Triggers: []saga.AnyTrigger{
			&saga.Trigger[purchase, int]{Type: "order.placed", Saga: paid, Input: func(e saga.Event) (purchase, error) { return purchase{ID: "7"}, nil }},
		}})
		k.Emit("orders", "order.placed", "", purchase{ID: "7"})
		runs := k.Runs()
		require.Len(t, runs, 1)
		run := sagatest.RunOf[int](k, runs[0])
		run.WaitsFor("money.came")
		k.Emit("money", "money.came", "7", 12)
		require.Equal(t, 12, run.Completed())
	})
}

func TestAHandlerThatRunsIntoItsTimeout(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		called := make(chan struct{}, 8)
		patient := &saga.Action[int, int]{Name: "patient", Effect: saga.NoEffect, Timeout: time.Hour, Retry: saga.Retry{MaxAttempts: 1},
			Do: func(ctx context.Context, n int) (int, error) {
				called <- struct{}{}
				<-ctx.Done()
				return 0, ctx.Err()
			}}
		s := saga.Define("waits", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, patient, in.In) })
		k := sagatest.New(t, s)
		run := sagatest.Start(k, s, 1)
		run.UntilCalled("patient")
		<-called
		k.Jump(time.Hour)
		require.Equal(t, domain.FailureTimedOut, run.Compensated().Cause.Kind)
	})
}
