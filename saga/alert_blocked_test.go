package saga_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestBlockedRunsAreToldOncePerVersion: five runs at three nodes without their code are one alert,
// which no restart repeats. When the runs go on and others are blocked later, that is another.
func TestBlockedRunsAreToldOncePerVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		s := waits("order", r.act("a"))
		able, ended := alerting(t, r.log, node("able"), &alertList{}, s)
		var runs []*saga.Run[string]
		for range 6 {
			runs = append(runs, start(t, able, s, "x"))
		}
		sleepABit()
		ended()
		to := &alertList{}
		lacking := func(name string) (*saga.Coordinator, func()) {
			return alerting(t, r.log, node(name), to, oneStep("other"))
		}
		c, stop := lacking("one")
		_, stopTwo := lacking("two")
		_, stopThree := lacking("three")
		sleepABit()
		for _, run := range runs[:5] {
			require.NoError(t, c.Signal(t.Context(), run.ID, "go", "x"))
		}
		time.Sleep(90 * time.Second)
		require.Empty(t, to.of(saga.AlertBlocked), "a deploy takes as long")
		time.Sleep(10 * time.Minute)
		told := to.of(saga.AlertBlocked)
		require.Len(t, told, 1)
		require.Equal(t, []any{"order", 1}, []any{told[0].Saga, told[0].Version})
		require.Contains(t, told[0].Cause.Message, "no program goes on with 5 runs of order v1: no program here has saga order v1")
		for _, f := range []func(){stop, stopTwo, stopThree} {
			f()
		}
		c, stop = lacking("four")
		time.Sleep(10 * time.Minute)
		require.Len(t, to.of(saga.AlertBlocked), 1, "a restart tells nothing again")

		_, ended = alerting(t, r.log, node("able-again"), &alertList{}, s)
		for _, run := range runs[:5] {
			_, err := c.Wait(t.Context(), run.ID)
			require.NoError(t, err)
		}
		ended()
		sleepABit()
		require.NoError(t, c.Signal(t.Context(), runs[5].ID, "go", "x"))
		time.Sleep(10 * time.Minute)
		told = to.of(saga.AlertBlocked)
		require.Len(t, told, 2)
		require.Contains(t, told[1].Cause.Message, "no program goes on with one run of order v1")
		require.NotEqual(t, told[0].ID, told[1].ID)
		stop()
	})
}

// TestARunThatCannotBeReadIsTold once, however many nodes try.
func TestARunThatCannotBeReadIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		s := waits("order", r.act("a"))
		first, ended := alerting(t, r.log, node("first"), &alertList{}, s)
		bad := start(t, first, s, "x")
		sleepABit()
		ended()
		put(t, r.log, domain.RunStream(bad.ID), domain.NewEvent{Type: "step.flew.v9", Data: []byte(`{}`)})
		to := &alertList{}
		var stops []func()
		for _, name := range []string{"one", "two"} {
			_, stop := alerting(t, r.log, node(name), to, s)
			stops = append(stops, stop)
		}
		time.Sleep(20 * time.Minute)
		told := to.of(saga.AlertBlocked)
		require.Len(t, told, 1)
		require.Equal(t, []any{bad.ID, "order", 1}, []any{told[0].Run, told[0].Saga, told[0].Version})
		require.Contains(t, told[0].Cause.Message, "step.flew.v9")
		for _, stop := range stops {
			stop()
		}
	})
}
