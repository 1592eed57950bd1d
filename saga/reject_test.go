package saga_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// limited reserves an amount and rejects what is above 100.
func limited(undone *[]int) *saga.Saga[int, string] {
	reserve := &saga.Action[int, int]{Name: "reserve", Do: func(_ context.Context, n int) (int, error) { return n, nil },
		Undo: func(_ context.Context, did saga.Did[int, int]) error {
			*undone = append(*undone, did.Input)
			return nil
		}}
	return saga.Define("limited", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[string] {
		saga.Do(f, reserve, in.In)
		return saga.Choose(f, "size", func(v saga.Scope) string {
			switch n := in.In(v); {
			case n > 1000:
				return "huge"
			case n > 100:
				return "large"
			}
			return "small"
		},
			saga.On("huge", func(f *saga.Flow) saga.Ref[string] { saga.Reject(f, " "); return saga.Ref[string]{} }),
			saga.On("large", func(f *saga.Flow) saga.Ref[string] {
				saga.Reject(f, func(v saga.Scope) string { return "above the limit of 100" }, saga.Name("too-much"))
				return saga.Ref[string]{}
			}),
			saga.On("small", func(f *saga.Flow) saga.Ref[string] {
				return saga.Return(f, func(saga.Scope) string { return "fine" })
			}))
	})
}

// TestARunThatRejectsIsUndoneWithItsReason, and one that does not completes.
func TestARunThatRejectsIsUndoneWithItsReason(t *testing.T) {
	t.Parallel()
	var undone []int
	s := limited(&undone)
	require.NoError(t, s.Err())
	c := begin(t, memlog.New(), saga.Config{}, s)
	run, err := saga.Start(t.Context(), c, s, 7)
	require.NoError(t, err)
	out, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, "fine", out)
	for n, want := range map[int]domain.Failure{
		700:  {Kind: domain.FailurePermanent, Step: "too-much", Type: domain.FailureRejected, Message: "above the limit of 100"},
		7000: {Kind: domain.FailurePermanent, Step: "reject-1", Type: domain.FailureRejected, Message: "rejected"},
	} {
		run, err := saga.Start(t.Context(), c, s, n)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		var back *saga.CompensatedError
		require.ErrorAs(t, err, &back)
		require.Equal(t, want, *back.Cause)
		require.Contains(t, undone, n)
	}
}

// TestWhatIsBesideARejection: what comes after is unreachable, and a pivot before is refused; a
// branch that rejects has no say in what holds after the switch.
func TestWhatIsBesideARejection(t *testing.T) {
	t.Parallel()
	note := effectless[int]("note")
	define := func(build func(*saga.Flow, saga.Ref[int])) error {
		return saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[saga.None] {
			build(f, in)
			return saga.Ref[saga.None]{}
		}).Err()
	}
	big := func(saga.Scope) bool { return true }
	reject := func(f *saga.Flow) { saga.Reject(f, "no") }
	require.NoError(t, define(func(f *saga.Flow, in saga.Ref[int]) {
		saga.If(f, big, reject, func(f *saga.Flow) { saga.Pivot(f) })
		saga.Do(f, note, in.In) // past the pivot on each way that leads here
	}))
	require.NoError(t, define(func(f *saga.Flow, in saga.Ref[int]) {
		saga.Each(f, "e", func(v saga.Scope) []int { return []int{1} },
			func(f *saga.Flow, item saga.Ref[int]) saga.Ref[int] { saga.Reject(f, "no"); return saga.Ref[int]{} }, saga.Tolerate(1))
	}))
	require.ErrorContains(t, define(func(f *saga.Flow, in saga.Ref[int]) {
		reject(f)
		saga.Do(f, note, in.In)
	}), "note: unreachable: it comes after Reject")
	require.ErrorContains(t, define(func(f *saga.Flow, in saga.Ref[int]) {
		saga.Pivot(f)
		saga.If(f, big, reject, nil)
	}), "pivot-1 → reject-1: pivot-1 is the point of no return; reject before pivot-1")
	require.ErrorContains(t, define(func(f *saga.Flow, in saga.Ref[int]) {
		saga.Reject[func(saga.Scope) string](f, nil)
	}), "reject-1: its function is nil")
}

// TestABadReadBlocksTheRunUntilTheCodeIsMended: the plan is the same, only the code of an
// expression was wrong.
func TestABadReadBlocksTheRunUntilTheCodeIsMended(t *testing.T) {
	t.Parallel()
	// The trial sees number 1; a run with 5 takes the way that no trial saw.
	build := func(mended bool) *saga.Saga[int, int] {
		return saga.Define("reads", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
			var inner saga.Ref[int]
			saga.If(f, func(v saga.Scope) bool { return in.In(v) > 10 },
				func(f *saga.Flow) { inner = saga.Compute(f, "inner", in.In) }, nil)
			return saga.Compute(f, "outer", func(v saga.Scope) int {
				if in.In(v) == 1 || mended {
					return in.In(v)
				}
				return inner.In(v)
			})
		})
	}
	s := build(false)
	require.NoError(t, s.Err(), "no trial sees the read")
	k := sagatest.New(t, s)
	run := sagatest.Start(k, s, 5)
	v := run.Until(func(v explain.Run) bool { return v.Blocked != "" })
	require.Equal(t, domain.RunRunning, v.State)
	require.Equal(t, "outer: the output of inner is read, but the run has not reached it: mend the saga's code and deploy it", v.Blocked)

	k.Deploy(sagatest.Setup{Sagas: []saga.AnySaga{build(true)}})
	require.Equal(t, 5, run.Completed())
}

// TestATrialThatPanickedIsListed with the sagas: nothing is known of what its function reads.
func TestATrialThatPanickedIsListed(t *testing.T) {
	t.Parallel()
	note := effectless[int]("note")
	s := saga.Define("untried", 1, func(f *saga.Flow, in saga.Ref[[]int]) saga.Ref[saga.None] {
		return saga.Do(f, note, func(v saga.Scope) int { return in.In(v)[7] })
	})
	c := begin(t, memlog.New(), saga.Config{}, s)
	info, err := c.Saga("untried", 0)
	require.NoError(t, err)
	require.Len(t, info.Untried, 1)
	require.Equal(t, "note", info.Untried[0].Step)
	require.Contains(t, info.Untried[0].Panic, "index out of range [7] with length 1 at reject_test.go:")
}

// TestATriggersKeyAndLabels: events with one key are one run, which has the labels of the first.
func TestATriggersKeyAndLabels(t *testing.T) {
	t.Parallel()
	s := saga.Define("ship-order", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[order] {
		return saga.Compute(f, "shipped", in.In)
	})
	trigger := &saga.Trigger[order, order]{Type: "order-placed", Saga: s,
		Key: func(e saga.Event) string {
			var o order
			_ = json.Unmarshal(e.Data, &o)
			return o.ID
		},
		Labels: func(e saga.Event) map[string]string { return map[string]string{"stream": e.Stream} }}
	k := sagatest.NewWith(t, sagatest.Setup{Triggers: []saga.AnyTrigger{trigger}})
	c, log := k.Coordinator(), k.Log()
	one := sagatest.RunOf[order](k, domain.RunIDForKey("ship-order", "o-1"))
	for _, stream := range []string{"shop-1", "shop-2"} {
		k.Emit(stream, "order-placed", "", order{"o-1"})
		one.Completed()
	}
	none := domainEvent("order-placed", "", order{})
	appendEvent(t, log, "shop-3", none)
	require.Equal(t, []domain.RunID{one.ID, domain.RunIDForEvent("ship-order", none.ID)}, k.Runs(), "an empty key is none")
	v := one.View()
	require.Equal(t, "o-1", v.Key)
	require.Equal(t, map[string]string{"stream": "shop-1"}, v.Labels)
	same, err := saga.Start(t.Context(), c, s, order{"o-1"}, saga.Key("o-1"))
	require.NoError(t, err)
	require.Equal(t, v.ID, same.ID)
	runs := 0
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{}) {
		require.NoError(t, err)
		if e.Type == "run.started.v1" {
			runs++
		}
	}
	require.Equal(t, 2, runs)
}

// TestChildrenHaveTheLabelsOfTheirParent unless the step says otherwise.
func TestChildrenHaveTheLabelsOfTheirParent(t *testing.T) {
	t.Parallel()
	inner := saga.Define("inner", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Compute(f, "n", in.In) })
	outer := saga.Define("outer", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		saga.Child(f, inner, in.In, saga.Name("with"))
		return saga.Child(f, inner, in.In, saga.Name("without"), saga.WithoutLabels())
	})
	c := begin(t, memlog.New(), saga.Config{}, inner, outer)
	labels := map[string]string{"customer": "ada"}
	run, err := saga.Start(t.Context(), c, outer, 1, saga.Labels(labels))
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	require.NoError(t, err)
	for step, want := range map[string]map[string]string{"with": labels, "without": nil} {
		v, err := c.Describe(t.Context(), domain.ChildRunID(run.ID, step))
		require.NoError(t, err)
		require.Equal(t, want, v.Labels, step)
	}
}
