package saga_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/saga"
)

// TestTimersHeedAClockThatIsSet: the clock is set forward by two hours, as after a laptop's sleep. What is due by it is
// done soon, and not two hours later.
func TestTimersHeedAClockThatIsSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var set atomic.Int64
		s := saga.Define("sleeps", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Sleep(f, 2*time.Hour)
			return in
		})
		c := begin(t, memlog.New(), saga.Config{Now: func() time.Time { return time.Now().Add(time.Duration(set.Load())) }}, s)
		run := start(t, c, s, "")
		sleepABit()
		set.Store(int64(2 * time.Hour))
		began := time.Now()
		_, err := finished(t, run)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(began), time.Minute)
	})
}

// TestRunsStartedAfterTheClockWasSetBackHaveItsTime: their attempts are not given up an hour late for that.
func TestRunsStartedAfterTheClockWasSetBackHaveItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		var set atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(set.Load())) }
		s := chain("now", r.act("a"))
		c := begin(t, r.plain, saga.Config{Now: now}, s)
		_, err := finished(t, start(t, c, s, ""))
		require.NoError(t, err)
		set.Store(-int64(time.Hour))
		run := start(t, c, s, "")
		_, err = finished(t, run)
		require.NoError(t, err)
		require.WithinDuration(t, now(), r.facts(run.ID)[0].Meta.At, time.Minute)
	})
}
