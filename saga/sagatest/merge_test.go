package sagatest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explore"
	"github.com/atonehq/atone/saga/sagatest"
)

// TestOnlyTheOrderBetweenEdgesBreaksIt looks at what else the siblings stand that read and write.
func TestOnlyTheOrderBetweenEdgesBreaksIt(t *testing.T) {
	t.Parallel()
	r, err := gallery["two siblings read a balance, and both write it"].broken(sagatest.Faults(1)).Search(explore.Search{})
	require.NoError(t, err)
	require.True(t, r.Breaks())
	for _, l := range r.Answers {
		if l.At != "order between edges" {
			require.Empty(t, l.Broken, l.At)
		}
	}
}

// blind is a shop whose fingerprint leaves the counts out.
type blind struct{ *shop }

func (b blind) Fingerprint() string { return "" }

// TestAFingerprintThatLeavesSomethingOutIsFound has a check that depends on what the fingerprint
// does not name.
func TestAFingerprintThatLeavesSomethingOutIsFound(t *testing.T) {
	t.Parallel()
	x := func(more ...sagatest.Option) *explore.Exploration {
		return explore.Of(func(e *sagatest.Edges) (blind, *saga.Saga[order, saga.None]) {
			s := newShop(e)
			a := book(s, "booking")
			do := a.Do
			a.Do = func(ctx context.Context, o order) (row, error) { s.count["calls"]++; return do(ctx, o) }
			return blind{s}, then(a, self)
		}, order{ID: "7"}, append(more, sagatest.Completed("the booking is called for once", func(b blind) error {
			if b.count["calls"] > 1 {
				return errors.New("it was called for again")
			}
			return nil
		}))...)
	}
	_, err := x().Search(explore.Search{})
	require.ErrorContains(t, err, "have Fingerprint name everything")
	r, err := x(sagatest.Apart()).Search(explore.Search{})
	require.NoError(t, err)
	require.Equal(t, "the booking is called for once", r.Broken.Invariant)
}

func TestTheReportCountsStates(t *testing.T) {
	t.Parallel()
	r, err := explored(booked(nil), sagatest.Without(sagatest.Late))().Search(explore.Search{})
	require.NoError(t, err)
	require.Positive(t, r.States)
	require.Positive(t, r.Merged)
	require.Contains(t, r.Summary(), "states visited")
	require.Contains(t, r.Summary(), "left out: late\n")
	require.Contains(t, r.Summary(), "not tried: abandon, retry, skip (comes up only where 2 other things went wrong)")

	r, err = explored(booked(nil), sagatest.Apart(), sagatest.Budget(10))().Search(explore.Search{})
	require.NoError(t, err)
	require.Contains(t, r.Summary(), "no states merged: they are kept apart")
	require.Contains(t, r.Summary(), "(the budget was used up)")

	s := chain(2)
	r, err = explore.Of(func(*sagatest.Edges) (None, *saga.Saga[order, saga.None]) { return None{}, s }, order{}).Search(explore.Search{})
	require.NoError(t, err)
	require.Contains(t, r.Summary(), "no states merged: the world has no Fingerprint() string")
}

// TestTheFakeThatIgnoresAKeyIsNamed has one of two fakes take a second delivery for a new one.
func TestTheFakeThatIgnoresAKeyIsNamed(t *testing.T) {
	t.Parallel()
	got := found(t, explored(func(e *sagatest.Edges) (*shop, *saga.Saga[order, saga.None]) {
		s := newShop(e)
		a := book(s, "booking")
		do := a.Do
		a.Do = func(ctx context.Context, o order) (r row, err error) {
			if err := e.Call("the calendar", func() error { r, err = do(ctx, o); return err }); err != nil {
				return row{}, err
			}
			return r, e.Call("the till", func() error { s.count["charged"]++; return nil })
		}
		return s, then(a, self)
	}))
	require.Contains(t, got, `the second delivery changed the world at "the till": have the fake that answers there find what the key has done`)
}
