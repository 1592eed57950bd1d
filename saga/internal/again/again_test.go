package again_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/internal/again"
)

var errModel = errors.New("no")

// TestIntervalsDoubleUpToTheMost, and begin anew after an attempt that lasted.
func TestIntervalsDoubleUpToTheMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var intervals []time.Duration
		var failures []int
		calls := 0
		err := again.Until(t.Context(), time.Second, 5*time.Second, func() error {
			switch calls++; calls {
			case 6:
				time.Sleep(time.Minute)
			case 8:
				return nil
			}
			return errModel
		}, func(err error, failed int, in time.Duration) {
			require.Equal(t, errModel, err)
			intervals, failures = append(intervals, in), append(failures, failed)
		})
		require.NoError(t, err)
		s := time.Second
		require.Equal(t, []time.Duration{s, 2 * s, 4 * s, 5 * s, 5 * s, s, 2 * s}, intervals)
		require.Equal(t, []int{1, 2, 3, 4, 5, 1, 2}, failures)
	})
}

// TestAFinalErrorEndsTheCalls and is returned as it was.
func TestAFinalErrorEndsTheCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		err := again.Until(t.Context(), time.Second, time.Minute, func() error {
			if calls++; calls == 2 {
				return again.Final(errModel)
			}
			return errors.New("not yet")
		}, nil)
		require.Equal(t, errModel, err)
		require.Equal(t, 2, calls)
	})
}

// TestAnEndIsHeededWhileWaiting and the error is that of the last attempt.
func TestAnEndIsHeededWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		began := time.Now()
		require.Equal(t, errModel, again.Until(ctx, time.Minute, time.Hour, func() error { return errModel }, nil))
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}
